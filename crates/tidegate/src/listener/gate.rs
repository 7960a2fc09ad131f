//! Whether listeners accept just now. While they do not, whoever connects waits in the kernel and is not refused.

use std::sync::Arc;

use tokio::sync::watch;

/// One for all listeners of a process.
#[derive(Debug, Clone)]
pub(crate) struct Gate(Arc<watch::Sender<bool>>);

impl Gate {
    /// Open or shut.
    pub(crate) fn new(is_open: bool) -> Self {
        Self(Arc::new(watch::Sender::new(is_open)))
    }

    /// Lets connections in.
    pub(crate) fn open(&self) {
        self.0.send_replace(true);
    }

    /// Lets none in. One that was accepted already goes on.
    pub(crate) fn shut(&self) {
        self.0.send_replace(false);
    }

    /// Completes with what `accept` brings, which is polled only while the gate is open. It must lose nothing where it is
    /// dropped.
    pub(super) async fn pass<T, F: Future<Output = T>>(&self, accept: impl Fn() -> F) -> T {
        let mut is_open = self.0.subscribe();
        loop {
            // The sender is ours, so it is there.
            is_open.wait_for(|is_open| *is_open).await.ok();
            tokio::select! {
                biased;
                _ = is_open.wait_for(|is_open| !*is_open) => {}
                accepted = accept() => return accepted,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn nothing_passes_while_it_is_shut_and_nothing_is_lost() {
        let gate = Gate::new(false);
        let (give, take) = mpsc::unbounded_channel();
        let take = Arc::new(tokio::sync::Mutex::new(take));
        let passing = tokio::spawn({
            let gate = gate.clone();
            async move {
                let mut passed = Vec::new();
                while let Some(one) = gate.pass(|| async { take.lock().await.recv().await }).await {
                    passed.push(one);
                }
                passed
            }
        });
        for n in 0..100 {
            give.send(n).unwrap();
            if n % 2 == 0 {
                gate.open();
            } else {
                gate.shut();
            }
            tokio::task::yield_now().await;
        }
        drop(give);
        gate.shut();
        tokio::task::yield_now().await;
        assert!(!passing.is_finished());
        gate.open();
        assert_eq!(passing.await.unwrap(), (0..100).collect::<Vec<_>>());
    }
}
