//! `his-snapshot`: see [`his_emergency::snapshot`].

fn main() -> std::process::ExitCode {
    his_emergency::snapshot::main()
}
