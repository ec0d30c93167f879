//! Every fused kernel equals the plain reference, over random shapes.
#![allow(clippy::unwrap_used)] // A failure to build a random case is a failure of the test.

mod common;

use candle_core::{DType, Device, Var};
use common::{Case, Kind, TOLERANCE_F32, TOLERANCE_F64, assert_equals_reference};
use proptest::prelude::*;
use recurrent::{Backend, InstructionSet, RecurrentConfig, SeededRng};

fn kinds() -> impl Strategy<Value = Kind> {
    prop::sample::select(Kind::ALL.to_vec())
}

prop_compose! {
    fn cases()(
        kind in kinds(),
        input in 1usize..40,
        hidden in 1usize..70,
        layers in 1usize..4,
        batch in 1usize..14,
        steps in 1usize..12,
        flags in any::<[bool; 6]>(),
        seed in any::<u64>(),
        raw_lengths in prop::collection::vec(0usize..12, 14),
    ) -> Case {
        let [bidirectional, bias, batch_first, has_state, has_lengths, is_projected] = flags;
        let proj_size = if is_projected && kind == Kind::Lstm { seed as usize % hidden } else { 0 };
        let config = RecurrentConfig {
            num_layers: layers, bidirectional, bias, batch_first, proj_size,
            ..RecurrentConfig::new(input, hidden)
        };
        let mut rng = SeededRng::new(seed);
        let mut var = |shape: (usize, usize, usize)| {
            Var::from_tensor(&rng.standard_normal(shape, DType::F32, &Device::Cpu).unwrap()).unwrap()
        };
        let x = var(if batch_first { (batch, steps, input) } else { (steps, batch, input) });
        let sizes = [config.h_size(), hidden].into_iter().take(kind.n_states());
        let n_layers = layers * config.num_directions();
        let states = has_state.then(|| sizes.map(|size| var((n_layers, batch, size))).collect());
        let weights = kind.initial_weights(&config, &mut rng, DType::F32).unwrap()
            .into_iter().map(|(name, t)| (name, Var::from_tensor(&t).unwrap())).collect();
        let lengths = has_lengths
            .then(|| raw_lengths[..batch].iter().map(|&length| length.min(steps)).collect());
        Case { kind, config, weights, x, states, lengths }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_instruction_set_equals_the_reference(case in cases()) {
        for set in InstructionSet::ALL.into_iter().filter(|set| set.is_available()) {
            assert_equals_reference(&case, Backend::Fused(set), TOLERANCE_F32);
        }
    }

    #[test]
    fn f64_equals_the_reference(mut case in cases()) {
        let to_f64 = |var: &Var| {
            Var::from_tensor(&var.as_tensor().to_dtype(DType::F64).unwrap()).unwrap()
        };
        case.x = to_f64(&case.x);
        case.weights = case.weights.iter().map(|(name, var)| (name.clone(), to_f64(var))).collect();
        case.states = case.states.map(|states| states.iter().map(to_f64).collect());
        assert_equals_reference(&case, Backend::Auto, TOLERANCE_F64);
    }
}
