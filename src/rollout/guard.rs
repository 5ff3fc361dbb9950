//! Guard: how much may a canary fail, and what follows if it fails more?

/// What takes a failing canary out of the split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// So much more of its requests than of stable's must fail.
    pub margin: Margin,
    /// For so many seconds it stays out; `None`: until the rule is edited.
    pub hold_for: Option<u32>,
    /// What a trip does.
    pub action: Action,
}

/// A share in hundredths of a percent, 0 to 10,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Margin(pub u16);

impl Margin {
    /// As a part of 1.
    pub fn share(self) -> f64 {
        f64::from(self.0) / 10_000.0
    }
}

impl Default for Margin {
    /// One percent.
    fn default() -> Margin {
        Margin(100)
    }
}

/// What a trip does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The canary's share goes to stable.
    Rollback,
    /// It is said and counted, and nothing else.
    Observe,
}
