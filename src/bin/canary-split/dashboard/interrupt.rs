//! Ctrl-C.

use futures::FutureExt;
use futures::future::{LocalBoxFuture, MaybeDone, maybe_done};
use std::io;

/// An interrupt, which does not end the process by itself.
pub struct Interrupt(MaybeDone<LocalBoxFuture<'static, io::Result<()>>>);

impl Interrupt {
    /// From now on it is caught.
    pub async fn caught() -> Interrupt {
        let mut awaited = maybe_done(tokio::signal::ctrl_c().boxed_local());
        // tokio begins to listen at the first poll.
        let _ = futures::poll!(&mut awaited);
        Interrupt(awaited)
    }

    /// Ends when somebody interrupts.
    pub async fn comes(&mut self) {
        (&mut self.0).await;
    }
}

#[cfg(test)]
mod tests {
    use super::Interrupt;
    use std::process::{Command, id};

    #[test]
    fn it_is_caught_before_anybody_waits_for_it() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut interrupt = Interrupt::caught().await;
            assert!(Command::new("kill").args(["-INT", &id().to_string()]).status().unwrap().success());
            interrupt.comes().await;
            // It stays so.
            interrupt.comes().await;
        });
    }
}
