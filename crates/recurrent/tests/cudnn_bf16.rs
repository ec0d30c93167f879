//! f32 layers that compute in bf16. A program of its own, since the setting is the process's. Needs the feature `cuda`
//! and a CUDA device.
#![cfg(feature = "cuda")]
#![allow(clippy::panic, clippy::unwrap_used)] // What cannot be set up is a failure of the test.

mod common;

use candle_core::{DType, Device};
use common::{Case, Kind, relative_difference};
use recurrent::{Backend, RecurrentConfig, SeededRng, set_bf16_on_cuda};

#[test]
fn layers_in_bf16_differ_by_its_rounding() {
    let device =
        Device::new_cuda(0).unwrap_or_else(|e| panic!("this test needs a CUDA device: {e}"));
    let mut rng = SeededRng::new(4);
    set_bf16_on_cuda(true);
    for (kind, hidden) in [(Kind::Lstm, 64), (Kind::Gru, 160), (Kind::Lstm, 256)] {
        let config =
            RecurrentConfig { bidirectional: true, ..RecurrentConfig::new(hidden, hidden) };
        let lengths = Some(vec![7, 23, 1, 12, 23, 22, 5, 9, 16]);
        let case = Case::random(kind, config, (9, 23), false, lengths, &mut rng).unwrap();
        let expected = case.everything(Backend::Auto).unwrap();
        let got = case.to(&device, DType::F32).unwrap().everything(Backend::Auto).unwrap();
        let mut largest = 0f64;
        for ((part, got), (_, expected)) in got.iter().zip(&expected) {
            assert_eq!(got.dtype(), DType::F32);
            let difference = relative_difference(got, expected).unwrap();
            println!("{kind:?} {hidden} {part}: {difference:.1e}");
            assert!(difference < 3e-2, "{kind:?} {part}: {difference:.1e}");
            largest = largest.max(difference);
        }
        // Small layers stay in f32.
        assert_eq!(largest > 1e-4, hidden > 128, "{kind:?} {hidden}: {largest:.1e}");
    }
}
