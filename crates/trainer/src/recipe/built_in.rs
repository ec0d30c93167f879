//! The recipes that are part of the program.

/// The built-in recipes, by name.
pub(super) const BUILT_IN: [(&str, &str); 4] = [
    ("quick", include_str!("../../recipes/quick.toml")),
    ("default", include_str!("../../recipes/default.toml")),
    ("accurate", include_str!("../../recipes/accurate.toml")),
    ("notebook", include_str!("../../recipes/notebook.toml")),
];

/// Their names.
pub(super) fn names() -> [&'static str; 4] {
    BUILT_IN.map(|(name, _)| name)
}
