//! Which weights a pass reads: those of the moment, or a frozen layer's own; and backward those of its forward
//! pass.
#![allow(clippy::unwrap_used)] // A layer that cannot be built is a failure of the test.

mod common;

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor, Var};
use candle_nn::VarBuilder;
use common::{Case, Kind, relative_difference};
use recurrent::{
    AnyState, Backend, InstructionSet, Recurrent, RecurrentConfig, RunOptions, SeededRng,
    State as _,
};

fn backends() -> impl Iterator<Item = Backend> {
    let sets = InstructionSet::ALL.into_iter().filter(|set| set.is_available());
    sets.map(Backend::Fused).chain([Backend::Auto, Backend::Reference])
}

fn case(kind: Kind, dtype: DType) -> Case {
    let config =
        RecurrentConfig { num_layers: 2, bidirectional: true, ..RecurrentConfig::new(6, 18) };
    let case = Case::random(kind, config, (3, 7), true, None, &mut SeededRng::new(5)).unwrap();
    case.to(&Device::Cpu, dtype).unwrap()
}

fn layer(case: &Case, backend: Backend, of_var: impl Fn(&Var) -> Tensor) -> Recurrent {
    let weights: HashMap<String, Tensor> =
        case.weights.iter().map(|(name, var)| (name.clone(), of_var(var))).collect();
    let vb = VarBuilder::from_tensors(weights, case.x.dtype(), &Device::Cpu);
    Recurrent::new(case.kind.cell(), &case.config, vb).unwrap().with_backend(backend)
}

fn double(case: &Case) {
    for (_, var) in &case.weights {
        var.set(&(var.as_tensor() * 2.0).unwrap()).unwrap();
    }
}

fn outputs(layer: &Recurrent, x: &Tensor) -> Tensor {
    layer.forward(x).unwrap().0.detach()
}

/// A detached tensor shares its numbers with its variable.
#[test]
fn weights_that_share_their_numbers_with_variables_are_read_anew() {
    for (kind, dtype) in [(Kind::Lstm, DType::F32), (Kind::Gru, DType::F64)] {
        for backend in backends() {
            let case = case(kind, dtype);
            let layer = layer(&case, backend, |var| var.as_detached_tensor());
            let x = case.x.as_detached_tensor();
            let before = outputs(&layer, &x);
            double(&case);
            let after = outputs(&layer, &x);
            let expected = outputs(&layer.clone().with_backend(Backend::Reference), &x);
            assert!(relative_difference(&after, &before).unwrap() > 0.05, "{backend}");
            assert!(relative_difference(&after, &expected).unwrap() < 2e-5, "{backend}");
        }
    }
}

#[test]
fn a_frozen_layer_has_weights_of_its_own() {
    for (kind, dtype) in [(Kind::Lstm, DType::F32), (Kind::GruResetBefore, DType::F64)] {
        for backend in backends() {
            let case = case(kind, dtype);
            let frozen = layer(&case, backend, |var| var.as_tensor().clone()).freeze().unwrap();
            let x = case.x.as_tensor();
            let before = outputs(&frozen, x);
            double(&case);
            assert!(frozen.is_frozen());
            assert_eq!(relative_difference(&outputs(&frozen, x), &before).unwrap(), 0.0);
            // Another implementation has the same weights, packed for it.
            for other in backends() {
                let other = frozen.clone().with_backend(other);
                assert!(other.is_frozen());
                assert!(relative_difference(&outputs(&other, x), &before).unwrap() < 2e-5);
            }
            // Its weights get no gradient; the input does.
            let gradients = frozen.forward(x).unwrap().0.sum_all().unwrap().backward().unwrap();
            assert!(gradients.get(&case.x).is_some());
            assert!(case.weights.iter().all(|(_, var)| gradients.get(var).is_none()));
        }
    }
}

#[test]
fn a_backward_pass_reads_the_weights_of_its_forward_pass() {
    for kind in Kind::ALL {
        for backend in backends() {
            let run = |changes: bool| -> Vec<Tensor> {
                let case = case(kind, DType::F32);
                let (outputs, states) = case.forward(backend).unwrap();
                let loss = case.loss(&outputs, &states).unwrap();
                if changes {
                    double(&case);
                }
                let gradients = loss.backward().unwrap();
                let vars = case.weights.iter().map(|(_, var)| var).chain([&case.x]);
                vars.map(|var| gradients.get(var).unwrap().clone()).collect()
            };
            for (got, expected) in run(true).iter().zip(&run(false)) {
                assert_eq!(relative_difference(got, expected).unwrap(), 0.0, "{kind:?} {backend}");
            }
        }
    }
}

#[test]
fn nothing_is_recorded_if_the_options_say_so() {
    for backend in backends() {
        let case = case(Kind::Lstm, DType::F32);
        let layer = layer(&case, backend, |var| var.as_tensor().clone());
        let state = AnyState { h: case.states.as_ref().unwrap()[0].as_tensor().clone(), c: None };
        assert!(layer.forward_with(&case.x, RunOptions::new().state(&state)).is_err());
        let (recorded, _) = layer.forward(&case.x).unwrap();
        let (outputs, state) =
            layer.forward_with(&case.x, RunOptions::new().record(false)).unwrap();
        assert!(recorded.track_op());
        assert!(!outputs.track_op() && state.tensors().iter().all(|tensor| !tensor.track_op()));
        assert_eq!(relative_difference(&outputs, &recorded).unwrap(), 0.0);
    }
}
