//! All tests that involve several crates, in one binary.

mod by_spec;
mod cfssl;
mod chain;
mod check;
mod codes;
mod csr_sign;
mod differential;
mod docs_ci;
mod documents;
mod expiry;
mod fixtures;
mod folder;
mod forget;
mod fuzz;
mod help;
mod hostile;
mod init;
mod inspect;
mod interop;
mod kill;
mod kubeconfig;
mod lint;
mod live;
mod mesh;
mod mesh_apply;
mod mesh_calls;
mod mesh_clusters;
mod mesh_dns;
mod mesh_import;
mod mesh_render;
mod mesh_rights;
mod mesh_schema;
mod mesh_typos;
mod modes;
mod outputs;
mod place;
mod push;
mod refusals;
mod renew;
mod replay;
mod rig;
mod signed;
mod terminal;
mod verify_extras;

/// The real `meshctl`, for what needs a process of its own.
const MESHCTL: &str = env!("CARGO_BIN_EXE_meshctl-under-test");
