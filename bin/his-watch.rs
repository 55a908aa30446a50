//! `his-watch`: see [`his_emergency::watch`].

fn main() -> std::process::ExitCode {
    his_emergency::watch::main()
}
