//! The first bytes of a file, by which its type is recognised.

/// Bytes at the start of a file that are enough.
pub(super) const HEAD_BYTES: usize = 8192;

/// Whether the first bytes are not text in any encoding that can be detected.
pub(super) fn is_binary(head: &[u8]) -> bool {
    let is_utf_8 =
        std::str::from_utf8(head).map_or_else(|error| error.error_len().is_none(), |_| true);
    !is_utf_8 && memchr::memchr(0, head).is_some() && encoding_rs::Encoding::for_bom(head).is_none()
}
