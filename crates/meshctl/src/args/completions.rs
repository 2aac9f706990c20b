//! `meshctl completions`.

use clap::Args;
use clap_complete::Shell;

/// `meshctl completions`.
#[derive(Debug, Args)]
#[command(after_help = "\
The script completes commands, options, values and file names. If you installed the program under another name, give it with `--name`.

Exit status:
   0  the script was printed
   1  standard output could not be written
  64  usage error

Examples:
  # bash
  meshctl completions bash \\
    > ~/.local/share/bash-completion/completions/meshctl
  # zsh, in a folder of $fpath
  meshctl completions zsh > ~/.zfunc/_meshctl
  # fish
  meshctl completions fish > ~/.config/fish/completions/meshctl.fish
  # elvish and PowerShell: load it in rc.elv or $PROFILE
  meshctl completions elvish > meshctl.elv
  meshctl completions powershell > meshctl.ps1")]
pub struct Completions {
    /// The shell.
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
    /// Name under which the program is installed.
    #[arg(long, value_name = "NAME", default_value = "meshctl", value_parser = name)]
    pub name: String,
}

/// A name that is one plain word in every shell.
fn name(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(is_plain) {
        return Ok(text.to_owned());
    }
    Err("expected a letter, followed by letters, digits, `-` and `_`".to_owned())
}
