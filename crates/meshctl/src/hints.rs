//! Next steps: what the libraries suggest, with the commands to type.

pub(crate) mod mesh;
