//! `gatehouse check FILE`: everything that is wrong with a configuration file, a line each.

use std::io::Write;
use std::path::Path;

use gatehouse_catalog::{Config, OpenSecrets, Problem, Secrets, Severity};
use gatehouse_llm_gateway::gateway::LlmGateway;
use gatehouse_store::{DataDir, Store};

use crate::config_file::{self, Beside};
use crate::failure::Failure;
use crate::house::{self, wiring};

/// The demo provider gets its address when it is started; any will do to check what is written.
const DEMO: &str = "http://127.0.0.1:1";

/// Prints problems and warnings to standard output, so that editors and CI can read them.
pub(crate) async fn run(file: &Path) -> Result<(), Failure> {
    let bytes = config_file::read(file)?;
    let mut checked = config_file::check(file, &bytes);
    let refers = checked.as_ref().ok().filter(|loaded| loaded.stands_in);
    if let Some(secrets) = stored_secrets(refers.map(|loaded| &loaded.config)).await? {
        let beside = Beside { declared: &[], secrets: Secrets::Open(&secrets) };
        checked = config_file::check_with(file, &bytes, beside);
    }
    let mut out = std::io::stdout().lock();
    match checked {
        Ok(loaded) => {
            if loaded.stands_in {
                writeln!(out, "{}: secrets are not looked up: there is no data folder yet", file.display())?;
            }
            // The last step of start-up: what only shows when providers, models and prices meet.
            let built = LlmGateway::build(wiring::blueprint(&loaded.config, DEMO));
            if let Some(found) = built.err().filter(|_| !loaded.stands_in) {
                let problems = house::problems(&loaded, &found);
                writeln!(out, "{}", problems.join("\n"))?;
                return Err(unusable(file, problems.len()));
            }
            print(&loaded.warnings, &mut out)?;
            let config = &loaded.config;
            let counts = [
                (config.providers.len(), "provider"),
                (config.models.len(), "model"),
                (config.keys.len(), "key"),
                (loaded.warnings.len(), "warning"),
            ];
            let counts: Vec<String> = counts.into_iter().map(|(n, noun)| counted(n, noun)).collect();
            writeln!(out, "{}: ok ({})", file.display(), counts.join(", "))?;
            Ok(())
        }
        Err(problems) => {
            print(&problems.0, &mut out)?;
            let errors = problems.0.iter().filter(|problem| problem.severity == Severity::Error).count();
            Err(unusable(file, errors))
        }
    }
}

/// The secrets of a configuration's data folder, if it refers to any and the folder is there.
async fn stored_secrets(config: Option<&Config>) -> Result<Option<OpenSecrets>, Failure> {
    let Some(config) = config.filter(|config| config.data_dir.is_dir()) else { return Ok(None) };
    let store = Store::open(&DataDir::create(&config.data_dir)?).await?;
    store.unlock(config_file::master_keys(config))?;
    let secrets = house::secrets_of_file(&store).await;
    store.close().await;
    Ok(Some(secrets?))
}

fn unusable(file: &Path, problems: usize) -> Failure {
    let message = format!("{} cannot be used: {}", file.display(), counted(problems, "problem"));
    Failure::problem(message, "mend the lines above and check again")
}

fn print(problems: &[Problem], out: &mut impl Write) -> Result<(), Failure> {
    for problem in problems {
        writeln!(out, "{problem}")?;
    }
    Ok(())
}

fn counted(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}
