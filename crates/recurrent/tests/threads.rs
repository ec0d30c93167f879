//! Any number of threads and every division of the work (rows of the batch, directions, hidden units)
//! gives the plain reference's numbers. Alone in its process, so that no other test uses the threads.
#![allow(clippy::unwrap_used)] // A failure to build a case is a failure of the test.

mod common;

use candle_core::{DType, Device, Tensor, Var};
use common::{Case, Kind, TOLERANCE_F32, assert_close, relative_difference, ripple};
use recurrent::{Backend, InstructionSet, RecurrentConfig, SeededRng, set_num_threads};

/// Two layers and directions over rows of mixed lengths (0 included), long enough for several
/// blocks of the product.
fn case(kind: Kind, proj_size: usize, (batch, steps): (usize, usize)) -> Case {
    let config = RecurrentConfig {
        num_layers: 2,
        bidirectional: true,
        proj_size,
        ..RecurrentConfig::new(150, 83)
    };
    let mut rng = SeededRng::new(7);
    let mut var = |shape: (usize, usize, usize)| {
        let values = rng.standard_normal(shape, DType::F32, &Device::Cpu).unwrap();
        Var::from_tensor(&(values * 0.3).unwrap()).unwrap()
    };
    let x = var((batch, steps, 150));
    let sizes = [config.h_size(), 83].into_iter().take(kind.n_states());
    let states = Some(sizes.map(|size| var((4, batch, size))).collect());
    let weights = kind.initial_weights(&config, &mut rng, DType::F32).unwrap();
    let weights =
        weights.into_iter().map(|(name, t)| (name, Var::from_tensor(&t).unwrap())).collect();
    let lengths = Some((0..batch).map(|row| steps - row * 17 % (steps + 1)).collect());
    Case { kind, config, weights, x, states, lengths }
}

#[test]
fn threads_change_nothing() {
    // SAFETY: no other thread is running yet that could read the environment.
    unsafe { std::env::set_var("CANDLE_NUM_THREADS", "4") };
    let kinds = Kind::ALL.map(|kind| (kind, 0));
    for (kind, proj_size) in kinds.into_iter().chain([(Kind::Lstm, 30)]) {
        // 40 rows fill several chunks of steps; 1 and 3 rows are too few to divide among threads.
        for shape in [(40, 60), (1, 30), (3, 150)] {
            let case = case(kind, proj_size, shape);
            let expected = case.everything(Backend::Reference).unwrap();
            for set in InstructionSet::ALL.into_iter().filter(|set| set.is_available()) {
                for n_threads in [1, 2, 4] {
                    set_num_threads(n_threads);
                    assert_close(&case, Backend::Fused(set), &expected, TOLERANCE_F32);
                }
            }
        }
    }
    steps_without_gradient_change_nothing();
    set_num_threads(0);
}

/// A loss on the outputs at one time leaves most steps of the top layer without a gradient, in one
/// direction or the other; with a loss on the states alone, no output has a gradient.
fn steps_without_gradient_change_nothing() {
    let calls = [((40, 60), &[Some(0), Some(59), None][..]), ((3, 150), &[Some(0)])];
    for kind in [Kind::Lstm, Kind::Gru] {
        for (shape, times) in calls {
            let case = case(kind, 0, shape);
            for &time in times {
                let slopes = |index: usize, part: &Tensor| match (index, time) {
                    (0, Some(time)) => {
                        let one_step = ripple(&part.narrow(1, time, 1)?)?;
                        one_step.pad_with_zeros(1, time, part.dim(1)? - time - 1)
                    }
                    (1, None) => ripple(part),
                    _ => part.zeros_like(),
                };
                let expected = case.everything_with_slopes(Backend::Reference, slopes).unwrap();
                for n_threads in [1, 2] {
                    set_num_threads(n_threads);
                    let got = case.everything_with_slopes(Backend::Auto, slopes).unwrap();
                    for ((name, got), (_, expected)) in got.iter().zip(&expected) {
                        let difference = relative_difference(got, expected).unwrap();
                        assert!(
                            difference <= TOLERANCE_F32,
                            "{kind:?} {shape:?} time {time:?}: {name} differs by {difference:.1e}"
                        );
                    }
                }
            }
        }
    }
}
