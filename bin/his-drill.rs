//! `his-drill`: see [`his_emergency::drill`].

fn main() -> std::process::ExitCode {
    his_emergency::drill::main()
}
