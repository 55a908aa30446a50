//! `his-import-paper`: see [`his_emergency::paper`].

fn main() -> std::process::ExitCode {
    his_emergency::paper::main()
}
