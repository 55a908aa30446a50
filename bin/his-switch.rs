//! `his-switch`: see [`his_emergency::switch`].

fn main() -> std::process::ExitCode {
    his_emergency::switch::main()
}
