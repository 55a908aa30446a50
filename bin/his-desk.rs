//! `his-desk`: see [`his_emergency::desk`].

fn main() -> std::process::ExitCode {
    his_emergency::desk::main()
}
