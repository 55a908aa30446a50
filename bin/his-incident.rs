//! `his-incident`: see [`his_emergency::incident`].

fn main() -> std::process::ExitCode {
    his_emergency::incident::main()
}
