//! The names of golden cases: `cell,layers,directions,bias,state,lengths,B,T,I,H,P`.
#![allow(clippy::unwrap_used, clippy::panic)] // A name that cannot be read is a failure of the test.

use recurrent::RecurrentConfig;

use super::Kind;

/// One call of a layer, without its numbers.
#[derive(Debug, Clone)]
pub struct GoldenCase {
    pub kind: Kind,
    pub config: RecurrentConfig,
    pub has_state: bool,
    pub has_lengths: bool,
    pub batch: usize,
    pub steps: usize,
}

impl GoldenCase {
    pub fn parse(name: &str) -> Self {
        let fields: Vec<&str> = name.split(',').collect();
        let [cell, layers, directions, bias, state, lengths, sizes @ ..] = &fields[..] else {
            panic!("case name {name}");
        };
        let sizes: Vec<usize> = sizes.iter().map(|size| size.parse().unwrap()).collect();
        let [batch, steps, input, hidden, proj_size] = sizes[..] else {
            panic!("case name {name}");
        };
        let kind = match *cell {
            "rnn-tanh" => Kind::RnnTanh,
            "rnn-relu" => Kind::RnnRelu,
            "lstm" => Kind::Lstm,
            "gru" => Kind::Gru,
            other => panic!("cell {other}"),
        };
        let config = RecurrentConfig {
            num_layers: layers.parse().unwrap(),
            bidirectional: *directions == "2",
            bias: *bias == "bias",
            proj_size,
            ..RecurrentConfig::new(input, hidden)
        };
        let (has_state, has_lengths) = (*state == "state", *lengths == "lengths");
        Self { kind, config, has_state, has_lengths, batch, steps }
    }
}
