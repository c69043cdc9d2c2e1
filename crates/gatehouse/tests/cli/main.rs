//! The command line, run as people run it: the real binary, in a folder of its own.
#![expect(clippy::expect_used, reason = "clippy knows unit tests, not the files of an integration test")]

mod connect;
mod docs;
mod gateway;

use std::path::Path;
use std::process::{Command, Output};

/// The binary, in a folder, with nothing of this machine's environment but `PATH`.
fn gatehouse(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatehouse"));
    command.current_dir(folder).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

/// Runs and expects success; gives standard output.
#[track_caller]
fn done(command: &mut Command) -> String {
    let output = command.output().expect("the binary runs");
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// Runs and expects this exit code.
#[track_caller]
fn fails(command: &mut Command, code: i32) -> Output {
    let output = command.output().expect("the binary runs");
    assert_eq!(output.status.code(), Some(code), "{}{}", text(&output.stdout), text(&output.stderr));
    output
}

/// Runs and expects exit code 1 and a next step; gives standard error.
#[track_caller]
fn refused(command: &mut Command) -> String {
    let said = text(&fails(command, 1).stderr);
    assert!(said.starts_with("error: ") && said.contains("next: "), "{said}");
    said
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

#[test]
fn check_accepts_a_good_file_and_counts_what_is_in_it() {
    let folder = folder();
    std::fs::write(folder.path().join("g.yaml"), "providers: {d: {kind: demo}}\n").expect("written");
    let said = done(gatehouse(folder.path()).args(["check", "g.yaml"]));
    assert_eq!(said, "g.yaml: ok (1 provider, 0 models, 0 keys, 0 warnings)\n");
}

#[test]
fn check_prints_each_problem_with_line_and_column_and_exits_1() {
    let folder = folder();
    std::fs::write(folder.path().join("g.yaml"), "lisen: x\nproviders: {d: {kind: dmo}}\n").expect("written");
    let output = fails(gatehouse(folder.path()).args(["check", "g.yaml"]), 1);
    assert_eq!(
        text(&output.stdout),
        "g.yaml:1:1: lisen: unknown key (did you mean `listen`?)\n\
         g.yaml:2:23: providers.d.kind: `dmo` is not a known value (did you mean `demo`?)\n"
    );
    assert!(text(&output.stderr).contains("2 problems"));
}

#[test]
fn check_knows_which_settings_each_kind_of_provider_needs() {
    let folder = folder();
    std::fs::write(folder.path().join("g.yaml"), "providers:\n  a: {kind: bedrock}\n  b: {kind: openai}\n")
        .expect("written");
    let said = text(&fails(gatehouse(folder.path()).args(["check", "g.yaml"]), 1).stdout);
    assert!(said.contains("g.yaml:2:3: providers.a.region: "), "{said}");
    assert!(said.contains("g.yaml:3:3: providers.b.api_key: "), "{said}");
}

#[test]
fn check_of_a_file_that_is_not_there_says_so() {
    let folder = folder();
    let said = refused(gatehouse(folder.path()).args(["check", "nothing.yaml"]));
    assert!(said.contains("nothing.yaml"));
}

#[test]
fn check_reads_the_environment_and_files_beside_the_configuration() {
    let folder = folder();
    let yaml = "providers: {o: {kind: openai, api_key: \"${OPENAI_API_KEY}\", headers: {x-a: \"${file:a.txt}\"}}}\n";
    std::fs::write(folder.path().join("g.yaml"), yaml).expect("written");
    std::fs::write(folder.path().join("a.txt"), "b\n").expect("written");
    fails(gatehouse(folder.path()).args(["check", "g.yaml"]), 1);
    let said = done(gatehouse(folder.path()).args(["check", "g.yaml"]).env("OPENAI_API_KEY", "k"));
    assert!(said.contains("ok"));
}

#[test]
fn schema_is_json_that_knows_the_sections() {
    let folder = folder();
    let schema: serde_json::Value = serde_json::from_str(&done(gatehouse(folder.path()).arg("schema"))).expect("JSON");
    assert!(schema["properties"]["providers"].is_object());
}

#[test]
fn completions_exist_for_every_shell() {
    let folder = folder();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(done(gatehouse(folder.path()).args(["completions", shell])).contains("gatehouse"), "{shell}");
    }
}

#[test]
fn wrong_usage_exits_2() {
    let folder = folder();
    for arguments in [
        &["nonsense"][..],
        &[],
        &["connect", "nobody"],
        &["connect", "codex", "--url", "x"],
        &["keys", "create", "a", "--limit", "many"],
        &["usage", "report", "--by", "weather"],
        &["usage", "report", "--since", "yesterday"],
    ] {
        fails(gatehouse(folder.path()).args(arguments), 2);
    }
}
