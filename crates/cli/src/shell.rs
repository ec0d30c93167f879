//! Quoting for the shell, so that users can copy command lines.

use std::borrow::Cow;

/// The program as it was called, so that users can copy command lines.
pub(crate) fn program() -> String {
    let program = std::env::args().next().unwrap_or_else(|| "sentiment".to_string());
    quoted(&program).into_owned()
}

/// One word of a command line, quoted if necessary.
pub(crate) fn quoted(word: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./:=+,@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.into();
    }
    if cfg!(windows) {
        return format!("\"{word}\"").into();
    }
    // Inside single quotation marks, only the closing one is special.
    format!("'{}'", word.replace('\'', r"'\''")).into()
}

#[cfg(all(test, unix))]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_shell_gives_the_word_back() -> std::io::Result<()> {
        for word in ["models/default", "my models/é 'x'", "", "a\"b", "$HOME;x", "übung", "a\nb"]
        {
            let script = format!("printf %s {}", quoted(word));
            let output = Command::new("sh").args(["-c", &script]).output()?;
            assert_eq!(String::from_utf8_lossy(&output.stdout), word, "{script}");
        }
        assert_eq!(quoted("models/default-2"), "models/default-2");
        Ok(())
    }
}
