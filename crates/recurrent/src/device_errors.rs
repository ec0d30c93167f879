//! What candle says when a device fails, in words for people.

use candle_core::Error;

/// How the parts of CUDA say that the card has no memory left.
const OUT_OF_MEMORY: [&str; 5] = [
    "CUDA_ERROR_OUT_OF_MEMORY",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
    "CURAND_STATUS_ALLOCATION_FAILED",
];

/// Whether a device has no memory left. That may be the fault of another program on it.
pub fn is_out_of_memory(error: &Error) -> bool {
    says_out_of_memory(&plain(error))
}

/// An error of candle in one line, without the trace that candle adds with `RUST_BACKTRACE`, and with a word about a
/// device that has no memory left.
pub fn error_in_words(error: &Error) -> String {
    let plain = plain(error);
    match says_out_of_memory(&plain) {
        true => format!("the GPU's memory is full: {plain}"),
        false => plain,
    }
}

fn says_out_of_memory(text: &str) -> bool {
    OUT_OF_MEMORY.iter().any(|words| text.contains(words))
}

fn plain(error: &Error) -> String {
    match error {
        Error::WithBacktrace { inner, .. } => plain(inner),
        Error::Context { inner, context } => format!("{context}: {}", plain(inner)),
        Error::WithPath { inner, path } => format!("{}: {}", path.display(), plain(inner)),
        Error::WrappedContext { wrapped, context } => {
            format!("{context}: {}", one_line(&format!("{wrapped:?}")))
        }
        other => one_line(&other.to_string()),
    }
}

/// The lines of a message before a trace, joined.
fn one_line(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    // A trace begins with the frame of number 0, and the next line says where that is, or is the next frame.
    let is_trace = |pair: &[&str]| {
        pair[0].starts_with("0: ") && (pair[1].starts_with("at ") || pair[1].starts_with("1: "))
    };
    let trace = lines.windows(2).position(is_trace).filter(|&start| start > 0);
    lines[..trace.unwrap_or(lines.len())].join("; ")
}

#[cfg(test)]
mod tests {
    use std::backtrace::Backtrace;

    use super::*;

    fn traced(error: Error) -> Error {
        let backtrace = Box::new(Backtrace::force_capture());
        Error::WithBacktrace { inner: Box::new(error), backtrace }
    }

    #[test]
    fn a_full_memory_is_known_by_the_words_of_every_part_of_cuda() {
        for words in [
            "DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")",
            "CublasError(CUBLAS_STATUS_ALLOC_FAILED)",
            "cudnnCreate: CudnnError(CUDNN_STATUS_ALLOC_FAILED)",
            "CudnnError(CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED)",
            "CurandError(CURAND_STATUS_ALLOCATION_FAILED)",
        ] {
            let error = || Error::Cuda(words.into());
            let wrappings = [
                error(),
                traced(error()),
                Error::wrap(words),
                Error::wrap(traced(error())),
                traced(error()).context("the pass").with_path("weights"),
                Error::WrappedContext {
                    wrapped: Box::new(traced(error())),
                    context: "a pass".into(),
                },
            ];
            for wrapped in wrappings {
                assert!(is_out_of_memory(&wrapped), "{wrapped}");
                let got = error_in_words(&wrapped);
                assert!(got.starts_with("the GPU's memory is full: "), "{got}");
                assert!(got.ends_with(words), "{got}");
                assert_eq!(got.lines().count(), 1, "{got}");
            }
        }
    }

    #[test]
    fn other_errors_keep_their_words_and_lose_the_trace() {
        let says =
            "DriverError(CUDA_ERROR_ILLEGAL_ADDRESS, \"an illegal memory access was encountered\")";
        for error in [Error::Cuda(says.into()), traced(Error::Cuda(says.into())), Error::wrap(says)]
        {
            assert!(!is_out_of_memory(&error));
            assert_eq!(error_in_words(&error), says);
        }
        let error = traced(traced(Error::Msg("first\n  second\n".to_string())).context("outer"));
        assert_eq!(error_in_words(&error), "outer: first; second");
    }
}
