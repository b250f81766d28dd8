#[global_allocator]
static MEMORY: redrill::cli::memory::OrExit = redrill::cli::memory::OrExit;

fn main() -> std::process::ExitCode {
    redrill::cli::main()
}
