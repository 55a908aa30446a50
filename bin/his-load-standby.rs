//! `his-load-standby`: see [`his_emergency::load`].

fn main() -> std::process::ExitCode {
    his_emergency::load::main()
}
