//! Command lines of the form `--name value` and `--flag`.

use std::str::FromStr;

use crate::Error;

/// The arguments of this process.
#[derive(Debug)]
pub struct Arguments(Vec<String>);

impl Arguments {
    /// Takes them from the environment.
    #[must_use]
    pub fn of_process() -> Self {
        Self(std::env::args().skip(1).collect())
    }

    /// Was `--name` given?
    #[must_use]
    pub fn flag(&self, name: &str) -> bool {
        self.0.iter().any(|argument| argument.strip_prefix("--") == Some(name))
    }

    /// The value after `--name`, if it was given.
    ///
    /// # Errors
    /// When it cannot be read as what is wanted.
    pub fn get<T: FromStr>(&self, name: &str) -> Result<Option<T>, Error> {
        let Some(at) = self.0.iter().position(|argument| argument.strip_prefix("--") == Some(name)) else {
            return Ok(None);
        };
        let value = self.0.get(at + 1).ok_or_else(|| format!("--{name} needs a value"))?;
        value.parse().map(Some).map_err(|_| format!("--{name} {value}: not a value for it").into())
    }

    /// The value after `--name`, or this one.
    ///
    /// # Errors
    /// When it cannot be read as what is wanted.
    pub fn or<T: FromStr>(&self, name: &str, default: T) -> Result<T, Error> {
        Ok(self.get(name)?.unwrap_or(default))
    }
}
