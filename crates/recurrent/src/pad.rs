//! Joins sequences of different lengths to one padded batch.

use candle_core::{DType, Device, Tensor};

use crate::error::{Error, Result};

/// Joins sequences `(steps, features)` of different lengths to one batch, padded at the end with zeros, and
/// returns it with the lengths that [`RunOptions`](crate::RunOptions) takes. The batch is
/// `(batch, steps, features)`, or `(steps, batch, features)` if `batch_first` is false, as in
/// [torch.nn.utils.rnn.pad_sequence](https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.rnn.pad_sequence.html).
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use recurrent::pad_sequence;
///
/// # fn main() -> recurrent::Result<()> {
/// let ones = |steps: usize| Tensor::ones((steps, 2), DType::F32, &Device::Cpu);
/// let (batch, lengths) = pad_sequence(&[ones(3)?, ones(1)?], true)?;
/// assert_eq!(batch.dims(), [2, 3, 2]);
/// assert_eq!(lengths, [3, 1]);
/// assert_eq!(batch.get(1)?.to_vec2::<f32>()?, [[1.0, 1.0], [0.0, 0.0], [0.0, 0.0]]);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::EmptyBatch`] without sequences; [`Error::Shape`] if one has not the first one's number of
/// features; an error of candle if dtypes or devices differ.
pub fn pad_sequence(sequences: &[Tensor], batch_first: bool) -> Result<(Tensor, Vec<usize>)> {
    let Some(first) = sequences.first() else { return Err(Error::EmptyBatch) };
    let features = match first.dims() {
        [_, features] => *features,
        other => return Err(shape_error("(steps, features)".to_string(), other)),
    };
    let mut lengths = Vec::with_capacity(sequences.len());
    for sequence in sequences {
        match sequence.dims() {
            [steps, own] if *own == features => lengths.push(*steps),
            other => return Err(shape_error(format!("(steps, {features})"), other)),
        }
    }
    let longest = lengths.iter().copied().max().unwrap_or(0);
    let padded = sequences.iter().zip(&lengths).map(|(sequence, length)| {
        if *length == longest {
            return Ok(sequence.clone());
        }
        let (dtype, device): (DType, &Device) = (sequence.dtype(), sequence.device());
        let padding = Tensor::zeros((longest - length, features), dtype, device)?;
        Tensor::cat(&[sequence, &padding], 0)
    });
    let padded = padded.collect::<candle_core::Result<Vec<_>>>()?;
    Ok((Tensor::stack(&padded, usize::from(!batch_first))?, lengths))
}

fn shape_error(expected: String, got: &[usize]) -> Error {
    Error::Shape { tensor: "a sequence", expected, got: got.to_vec() }
}
