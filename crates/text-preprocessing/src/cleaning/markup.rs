//! Replaces HTML tags and comments with spaces.
//!
//! A tag is the name of a current or former HTML element between angle brackets: alone, followed by
//! something with an equals sign (attributes), or followed by attributes that need no value. Anything
//! doubtful stays text: `a < b > c`, `I <3 it`, `<pad>`, `<i think so>`.
//!
//! Every search ends at the next angle bracket, so unclosed brackets take linear time in total.

use memchr::{memchr, memchr2, memmem};

/// HTML elements, current ones and those that browsers still recognize, ascending.
#[rustfmt::skip]
const ELEMENTS: &[&str] = &[
    "a", "abbr", "acronym", "address", "applet", "area", "article", "aside", "audio", "b", "base",
    "basefont", "bdi", "bdo", "bgsound", "big", "blink", "blockquote", "body", "br", "button", "canvas",
    "caption", "center", "cite", "code", "col", "colgroup", "data", "datalist", "dd", "del", "details",
    "dfn", "dialog", "dir", "div", "dl", "dt", "em", "embed", "fieldset", "figcaption", "figure", "font",
    "footer", "form", "frame", "frameset", "h1", "h2", "h3", "h4", "h5", "h6", "head", "header", "hgroup",
    "hr", "html", "i", "iframe", "img", "input", "ins", "isindex", "kbd", "keygen", "label", "legend",
    "li", "link", "main", "map", "mark", "marquee", "menu", "menuitem", "meta", "meter", "nav", "nobr",
    "noembed", "noframes", "noscript", "object", "ol", "optgroup", "option", "output", "p", "param",
    "picture", "plaintext", "pre", "progress", "q", "rb", "rp", "rt", "rtc", "ruby", "s", "samp",
    "script", "search", "section", "select", "slot", "small", "source", "span", "strike", "strong",
    "style", "sub", "summary", "sup", "svg", "table", "tbody", "td", "template", "textarea", "tfoot",
    "th", "thead", "time", "title", "tr", "track", "tt", "u", "ul", "var", "video", "wbr", "xmp",
];

/// Attributes that need no value, ascending.
#[rustfmt::skip]
const FLAGS: &[&str] = &[
    "allowfullscreen", "async", "autofocus", "autoplay", "checked", "compact", "controls", "default",
    "defer", "disabled", "hidden", "ismap", "itemscope", "loop", "multiple", "muted", "nohref", "nomodule",
    "noresize", "noshade", "novalidate", "nowrap", "open", "readonly", "required", "reversed", "selected",
];

/// Separators between the parts of a tag: the body of a character class.
const GAP: &str = "\t-\r /";

fn is_gap(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | b' ' | b'/')
}

/// A regular expression for tags in a lower-cased text.
pub(crate) fn tag_pattern() -> String {
    let (names, flags) = (ELEMENTS.join("|"), FLAGS.join("|"));
    format!("</?(?:{names})(?:[{GAP}]+(?:{flags}))*[{GAP}]*>|<(?:{names})[{GAP}][^<>=]*=[^<>]*>")
}

/// A regular expression for comments and declarations in a lower-cased text without tags.
pub(crate) const COMMENT_PATTERN: &str = "<!--[^<]*?-->|<!doctype[^<>]*>";

/// The length of the tag at the start of `bytes` (in lower case); 0 if there is none.
fn tag_len(bytes: &[u8]) -> usize {
    let is_closing = bytes.get(1) == Some(&b'/');
    let name_at = 1 + usize::from(is_closing);
    let name =
        word(&bytes[name_at.min(bytes.len())..], |b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if ELEMENTS.binary_search_by(|other| other.as_bytes().cmp(name)).is_err() {
        return 0;
    }
    let name_end = name_at + name.len();
    let mut at = name_end;
    loop {
        let gap = word(&bytes[at..], is_gap).len();
        at += gap;
        if bytes.get(at) == Some(&b'>') {
            return at + 1;
        }
        let flag = word(&bytes[at..], |b| b.is_ascii_lowercase());
        if gap == 0 || FLAGS.binary_search_by(|other| other.as_bytes().cmp(flag)).is_err() {
            break;
        }
        at += flag.len();
    }
    if is_closing || !bytes.get(name_end).is_some_and(|&b| is_gap(b)) {
        return 0;
    }
    let attributes = &bytes[name_end + 1..];
    match memchr2(b'<', b'>', attributes) {
        Some(len) if attributes[len] == b'>' && memchr(b'=', &attributes[..len]).is_some() => {
            name_end + 1 + len + 1
        }
        _ => 0,
    }
}

/// The leading bytes for which `is_part` holds.
fn word(bytes: &[u8], is_part: impl Fn(u8) -> bool) -> &[u8] {
    &bytes[..bytes.iter().take_while(|&&b| is_part(b)).count()]
}

/// The length of the comment or declaration at the start of `bytes`, 0 if there is none.
fn comment_len(bytes: &[u8]) -> usize {
    if let Some(comment) = bytes.strip_prefix(b"<!--") {
        let comment = &comment[..memchr(b'<', comment).unwrap_or(comment.len())];
        return memmem::find(comment, b"-->").map_or(0, |len| 4 + len + 3);
    }
    match bytes.strip_prefix(b"<!doctype") {
        Some(rest) => match memchr2(b'<', b'>', rest) {
            Some(len) if rest[len] == b'>' => 9 + len + 1,
            _ => 0,
        },
        None => 0,
    }
}

/// Writes a lower-cased text to `clean` with tags replaced by spaces; returns whether there were any.
pub(super) fn tags_to_spaces(text: &str, clean: &mut String) -> bool {
    to_spaces(text, tag_len, clean)
}

/// Writes a lower-cased text without tags to `clean` with comments replaced by spaces; returns whether
/// there were any.
pub(super) fn comments_to_spaces(text: &str, clean: &mut String) -> bool {
    memmem::find(text.as_bytes(), b"<!").is_some() && to_spaces(text, comment_len, clean)
}

/// Leaves `clean` empty if nothing is found.
fn to_spaces(text: &str, len_at: impl Fn(&[u8]) -> usize, clean: &mut String) -> bool {
    clean.clear();
    let bytes = text.as_bytes();
    // Everything before `done` is already in `clean`.
    let (mut done, mut at) = (0, 0);
    while let Some(found) = memchr(b'<', &bytes[at..]) {
        at += found;
        match len_at(&bytes[at..]) {
            0 => at += 1,
            len => {
                clean.push_str(&text[done..at]);
                clean.push(' ');
                at += len;
                done = at;
            }
        }
    }
    if done > 0 {
        clean.push_str(&text[done..]);
    }
    done > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clean(text: &str) -> String {
        let mut clean = String::new();
        let text = if tags_to_spaces(text, &mut clean) { clean.clone() } else { text.to_owned() };
        if comments_to_spaces(&text, &mut clean) { clean } else { text }
    }

    #[test]
    fn names_ascend() {
        assert!(ELEMENTS.is_sorted_by(|a, b| a < b) && FLAGS.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn tags_become_spaces() {
        for tag in [
            "<br>",
            "<br/>",
            "<br />",
            "<br\t\n/ >",
            "</p>",
            "</p >",
            "<p>",
            "<h1>",
            "<hr noshade>",
            "<a href=\"x\">",
            "<a href=x target=_blank>",
            "<font color='red'size=3>",
            "<a\nhref=\n\"#\">",
            "<input disabled/>",
            "<input type=checkbox checked>",
            "<video controls muted>",
            "<!-- note -->",
            "<!---->",
            "<!-- a > b\n- -- -->",
            "<!-- <b>bold</b> -->",
            "<!doctype html>",
            "<img src=\"a.png\" alt=\"ü\"/>",
            "<p class=>",
        ] {
            assert_eq!(
                clean(&format!("a{tag}b")).replace("bold", "").trim_matches(['a', 'b']).trim(),
                "",
                "{tag}"
            );
        }
    }

    #[test]
    fn other_angle_brackets_stay() {
        for text in [
            "a < b > c",
            "i <3 it",
            "<pad>",
            "<brave>",
            "<>",
            "< br>",
            "</ p>",
            "<b and c>",
            "<i think so>",
            "<br",
            "<br ",
            "<a href=\"x\"",
            "<a href=x<",
            "<!-- open",
            "<!-- <",
            "<!-->",
            "<!",
            "</s",
            "<",
            "<bré>",
            "<a-b>",
            "<a.b=c>",
            "</a href=x>",
            "<p disabledx>",
            "<hr noshadehidden>",
            "x<y=z>",
            "</",
            "<unk>",
            "<3 = x>",
        ] {
            assert_eq!(clean(text), text);
        }
    }
}
