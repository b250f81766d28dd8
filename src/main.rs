fn main() -> std::process::ExitCode {
    redrill::cli::main()
}
