//! `his-export-queue`: see [`his_emergency::export`].

fn main() -> std::process::ExitCode {
    his_emergency::export::main()
}
