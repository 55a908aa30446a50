//! `his-merge`: see [`his_emergency::merge`].

fn main() -> std::process::ExitCode {
    his_emergency::merge::main()
}
