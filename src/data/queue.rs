//! A pool of threads over work that makes more work; the first error ends it.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

#[derive(Debug)]
struct State<W, E> {
    waiting: Vec<W>,
    running: usize,
    error: Option<E>,
}

/// Work in last-in, first-out order, which bounds what is waiting.
#[derive(Debug)]
pub(crate) struct Queue<W, E> {
    state: Mutex<State<W, E>>,
    changed: Condvar,
}

impl<W: Send, E: Send> Queue<W, E> {
    /// A queue with one piece of work.
    pub(crate) fn new(first: W) -> Self {
        let state = State {
            waiting: vec![first],
            running: 0,
            error: None,
        };
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State<W, E>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds work.
    pub(crate) fn extend(&self, work: impl IntoIterator<Item = W>) {
        self.state().waiting.extend(work);
        self.changed.notify_all();
    }

    /// Does all work in `threads` threads, the caller's own among them.
    pub(crate) fn run(
        self,
        threads: usize,
        step: impl Fn(W, &Self) -> Result<(), E> + Sync,
    ) -> Result<(), E> {
        std::thread::scope(|scope| {
            for _ in 1..threads.max(1) {
                scope.spawn(|| self.work(&step));
            }
            self.work(&step);
        });
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        state.error.map_or(Ok(()), Err)
    }

    fn work(&self, step: &impl Fn(W, &Self) -> Result<(), E>) {
        while let Some(work) = self.take() {
            let done = step(work, self);
            let mut state = self.state();
            state.running -= 1;
            if let Err(error) = done {
                state.error.get_or_insert(error);
                state.waiting.clear();
            }
            self.changed.notify_all();
        }
    }

    fn take(&self) -> Option<W> {
        let mut state = self.state();
        loop {
            if state.error.is_some() {
                return None;
            }
            if let Some(work) = state.waiting.pop() {
                state.running += 1;
                return Some(work);
            }
            if state.running == 0 {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn all_work_is_done_and_the_first_error_ends_it() {
        let done = AtomicU32::new(0);
        let count = |n: u32, queue: &Queue<u32, String>| {
            done.fetch_add(1, Ordering::Relaxed);
            queue.extend((0..n).map(|_| n - 1));
            Ok(())
        };
        assert_eq!(Queue::new(5).run(3, count), Ok(()));
        assert_eq!(done.load(Ordering::Relaxed), 1 + 5 + 20 + 60 + 120 + 120);
        let fail = |n: u32, _: &Queue<u32, String>| Err(format!("at {n}"));
        assert_eq!(Queue::new(5).run(3, fail), Err("at 5".to_owned()));
    }
}
