//! `meshctl explain`.

use clap::Args;

/// `meshctl explain`.
#[derive(Debug, Args)]
#[command(after_help = "\
It prints what the codes in `error[CODE]` and `warning[CODE]` mean, and what to do. The same text is on the page of each code in the documentation.

Exit status:
   0  every code was explained
   1  standard output could not be written
  64  usage error, or a code that does not exist

Examples:
  meshctl explain ctl/busy
  # Every code of a family
  meshctl explain pki/")]
pub struct Explain {
    /// Codes such as `ctl/busy`, with or without the part before `/`, or a family such as `pki/`.
    #[arg(value_name = "CODE", required = true)]
    pub codes: Vec<String>,
}
