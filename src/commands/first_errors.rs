//! What failed of many: all of it is counted, and the first few are told.

use super::error::CommandError;

/// More errors than these are only counted.
const MOST: usize = 10;

#[derive(Debug, Default)]
pub(super) struct FirstErrors {
    count: u64,
    first: Vec<CommandError>,
}

impl FirstErrors {
    pub(super) fn add(&mut self, error: CommandError) {
        self.count += 1;
        if self.first.len() < MOST {
            self.first.push(error);
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The first few, and how many more there were.
    pub(super) fn into_told(self) -> Vec<CommandError> {
        let mut told = self.first;
        let more = self.count - told.len() as u64;
        if more > 0 {
            told.push(CommandError::failed(anyhow::anyhow!("and {more} more failed")));
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(failed: u64) -> Vec<String> {
        let mut errors = FirstErrors::default();
        for number in 1..=failed {
            errors.add(CommandError::misuse(format!("number {number}")));
        }
        assert_eq!(errors.count(), failed);
        errors.into_told().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_first_are_told_and_the_others_counted() {
        assert_eq!(told(0), [""; 0]);
        assert_eq!(told(10).last().map(String::as_str), Some("number 10"));
        let many = told(13);
        assert_eq!((many.len(), many[9].as_str()), (11, "number 10"));
        assert_eq!(many[10], "and 3 more failed");
    }
}
