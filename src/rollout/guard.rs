//! Guard: how much may a canary fail, and what happens if it fails more?

/// What removes a failing canary from the split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// A canary's share of failures must exceed stable's by this.
    pub margin: Margin,
    /// The seconds for which it stays out; `None`: until the rule is edited.
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
    /// It is logged and counted, nothing else.
    Observe,
}
