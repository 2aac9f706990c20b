//! The repository's own tools: `cargo xtask`.

fn main() {}
