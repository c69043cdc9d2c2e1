//! The program. All of it is in the library beside it: what a library makes of generic code others have made is used again,
//! which at the level of the program itself it is not.

use std::process::ExitCode;

fn main() -> ExitCode {
    gatehouse::main()
}
