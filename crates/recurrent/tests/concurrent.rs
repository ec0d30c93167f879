//! Passes that run at the same time share the threads that are allowed, and each gives what it gives alone,
//! to the bit. Alone in its process, so that no other test uses the threads.
#![allow(clippy::unwrap_used)] // A failure to build a case is a failure of the test.

mod common;

use std::thread;

use candle_core::Tensor;
use common::{Case, Kind};
use recurrent::{Backend, RecurrentConfig, SeededRng, num_threads};

/// Cases whose rows are divided, whose directions and units are, and one that is too small for either.
fn cases() -> Vec<Case> {
    let mut rng = SeededRng::new(11);
    let mut case = |kind, bidirectional, (batch, steps), (input, hidden)| {
        let config =
            RecurrentConfig { num_layers: 2, bidirectional, ..RecurrentConfig::new(input, hidden) };
        let lengths = (0..batch).map(|row| steps - row * 7 % (steps + 1)).collect();
        Case::random(kind, config, (batch, steps), true, Some(lengths), &mut rng).unwrap()
    };
    vec![
        case(Kind::Lstm, false, (40, 30), (60, 70)),
        case(Kind::Lstm, true, (3, 40), (60, 70)),
        case(Kind::Gru, true, (40, 20), (50, 40)),
        case(Kind::Gru, false, (2, 60), (90, 80)),
        case(Kind::GruResetBefore, true, (30, 20), (40, 40)),
        case(Kind::RnnTanh, true, (2, 5), (5, 6)),
    ]
}

fn bits(tensors: &[(String, Tensor)]) -> Vec<Vec<u32>> {
    let numbers = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    tensors.iter().map(|(_, t)| numbers(t).into_iter().map(f32::to_bits).collect()).collect()
}

#[test]
fn a_pass_gives_the_same_bits_alone_and_beside_others() {
    // SAFETY: no other thread is running yet that could read the environment.
    unsafe { std::env::set_var("CANDLE_NUM_THREADS", "3") };
    assert_eq!(num_threads(), 3);
    let cases = cases();
    let alone: Vec<Vec<Vec<u32>>> =
        cases.iter().map(|case| bits(&case.everything(Backend::Auto).unwrap())).collect();
    thread::scope(|scope| {
        for first in 0..8 {
            let (cases, alone) = (&cases, &alone);
            scope.spawn(move || {
                for round in 0..8 {
                    let index = (first + round) % cases.len();
                    let together = bits(&cases[index].everything(Backend::Auto).unwrap());
                    assert!(together == alone[index], "case {index} differs beside others");
                }
            });
        }
    });
}
