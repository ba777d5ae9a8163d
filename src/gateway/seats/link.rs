//! The link of a gateway to the hub: greets, tells what changed, does what it is told, and finds the next hub.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};

use super::Shared;
use super::desk::Desk;
use crate::apps::wire::{BEAT, COALESCE, LEASE, ToGateway, ToHub, VERSION};
use crate::apps::{AppId, ProcessId};
use crate::hub::{Dial, Line};

const FIRST_DELAY: Duration = Duration::from_millis(50);
const LONGEST_DELAY: Duration = Duration::from_secs(2);

/// The link is over.
struct Over;

/// Keeps a link to whichever hub there is.
pub(super) async fn keep(shared: Arc<Shared>, dial: Arc<dyn Dial>) {
    let mut delay = FIRST_DELAY;
    let mut term = 0;
    loop {
        match tokio::time::timeout(LEASE, dial.dial()).await {
            Ok(Ok(line)) => {
                let began = Instant::now();
                let mut link = Link {
                    shared: shared.clone(),
                    to_hub: line.to_hub.clone(),
                    began,
                    beats: VecDeque::new(),
                    news: VecDeque::new(),
                    next_beat: 0,
                    flush_at: None,
                    term,
                };
                let Err(Over) = link.serve(line).await;
                term = link.term;
                shared.is_synced.send_replace(false);
                if began.elapsed() > LONGEST_DELAY {
                    delay = FIRST_DELAY;
                }
                tracing::warn!("the link to the hub is over; looking for it again");
            }
            Ok(Err(error)) => tracing::debug!(%error, "no link to the hub"),
            Err(_) => tracing::debug!("the hub does not answer"),
        }
        tokio::time::sleep(delay).await;
        delay = (delay * 2).min(LONGEST_DELAY);
    }
}

struct Link {
    shared: Arc<Shared>,
    to_hub: mpsc::Sender<ToHub>,
    began: Instant,
    /// Beats that the hub has not answered, and when they were sent.
    beats: VecDeque<(u64, Instant)>,
    next_beat: u64,
    /// Applications with somebody who waits for news, and the beat whose answer comes after all there are.
    news: VecDeque<(u64, Vec<Arc<Desk>>)>,
    /// When the hub is told what nobody waits for.
    flush_at: Option<Instant>,
    term: u64,
}

impl Link {
    async fn serve(&mut self, mut line: Line) -> Result<Infallible, Over> {
        self.greet().await?;
        let mut beat = tokio::time::interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let shared = self.shared.clone();
        loop {
            let flush_at = self.flush_at;
            tokio::select! {
                message = line.from_hub.recv() => match message {
                    Some(message) => self.heard(message).await?,
                    None => return Err(Over),
                },
                () = shared.wake.notified() => self.woken().await?,
                () = shared.questions.woken() => self.ask(false).await?,
                () = sleep_until(flush_at) => self.flush().await?,
                _ = beat.tick() => self.beat().await?,
            }
        }
    }

    /// Tells everything that is held.
    async fn greet(&mut self) -> Result<(), Over> {
        let hello = ToHub::Hello {
            gateway: self.shared.options.gateway.clone(),
            version: VERSION,
            address: self.shared.options.address,
        };
        self.send(hello).await?;
        // Seats that were not used when the lease ended are the hub's again.
        let is_leased = self.shared.is_leased(self.shared.now());
        for desk in self.shared.all() {
            if let Some(report) = desk.greeting(is_leased) {
                self.send(ToHub::Held(report)).await?;
            }
        }
        self.send(ToHub::Told).await
    }

    async fn beat(&mut self) -> Result<(), Over> {
        let lease = Duration::from_millis(self.shared.lease_until.load(Ordering::Acquire));
        // Without an answer for so long its seats are as good as given away: a new link begins with what is in use.
        if self.began.elapsed() > LEASE && self.shared.now() >= lease {
            return Err(Over);
        }
        self.send_beat().await
    }

    async fn send_beat(&mut self) -> Result<(), Over> {
        let number = self.next_beat;
        self.next_beat += 1;
        self.beats.push_back((number, Instant::now()));
        self.send(ToHub::Beat(number)).await
    }

    async fn woken(&mut self) -> Result<(), Over> {
        if self.shared.is_urgent.load(Ordering::Acquire) {
            return self.flush().await;
        }
        self.flush_at.get_or_insert_with(|| Instant::now() + COALESCE);
        Ok(())
    }

    /// Tells what has changed, unless the greeting is not answered yet: it does then.
    async fn flush(&mut self) -> Result<(), Over> {
        self.flush_at = None;
        if !*self.shared.is_synced.borrow() {
            return Ok(());
        }
        self.shared.is_urgent.store(false, Ordering::Release);
        for desk in taken(&self.shared.dirty) {
            self.report(&desk, true).await?;
        }
        let asking = taken(&self.shared.news);
        if !asking.is_empty() {
            self.news.push_back((self.next_beat, asking));
            self.send_beat().await?;
        }
        Ok(())
    }

    async fn report(&mut self, desk: &Arc<Desk>, taken_out: bool) -> Result<(), Over> {
        let (report, returns) = desk.report(&self.shared, taken_out);
        self.send(ToHub::Report(report)).await?;
        for (process, seats) in returns {
            self.give_back(desk.id(), process, seats, 0).await?;
        }
        Ok(())
    }

    async fn give_back(
        &mut self,
        app: &AppId,
        process: ProcessId,
        seats: u32,
        answered: u32,
    ) -> Result<(), Over> {
        let app = app.clone();
        self.send(ToHub::Return {
            app,
            process,
            seats,
            answered,
        })
        .await
    }

    async fn send(&mut self, message: ToHub) -> Result<(), Over> {
        match tokio::time::timeout(LEASE, self.to_hub.send(message)).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Over),
        }
    }

    async fn heard(&mut self, message: ToGateway) -> Result<(), Over> {
        let shared = self.shared.clone();
        match message {
            ToGateway::Welcome { term } if term < self.term => return Err(Over),
            ToGateway::Welcome { term } => self.term = term,
            ToGateway::Beat(number) => self.renew(number),
            ToGateway::Synced => return self.synced().await,
            ToGateway::Peers(all) => drop(shared.peers.send_replace(all)),
            ToGateway::State { app, stage } => shared.desk_or_new(&app).set_stage(&shared, stage),
            ToGateway::Removed { app } => {
                if let Some(desk) = shared.remove(&app) {
                    desk.removed(&shared);
                }
            }
            ToGateway::Open {
                app,
                process,
                address,
                accepting,
            } => {
                if let Some(desk) = shared.desk(&app) {
                    desk.open(&shared, process, address, accepting);
                }
            }
            ToGateway::Gone { app, process } => {
                if let Some(desk) = shared.desk(&app) {
                    desk.change(&shared, |shelf| shelf.gone(&process));
                }
            }
            ToGateway::Grant {
                app,
                process,
                seats,
                others,
            } => {
                if let Some(desk) = shared.desk(&app) {
                    desk.change(&shared, |shelf| shelf.grant(&process, seats, others));
                }
            }
            ToGateway::Answered { number, reply } => shared.questions.answered(number, reply),
            ToGateway::Recall { app, process, seats } => return self.recall(&app, process, seats).await,
        }
        Ok(())
    }

    /// Answers a recall, after what the hub has to know to understand the answer.
    async fn recall(&mut self, app: &AppId, process: ProcessId, seats: u32) -> Result<(), Over> {
        let given = match self.shared.desk(app) {
            Some(desk) => {
                let given = desk.change(&self.shared.clone(), |shelf| shelf.recall(&process, seats));
                self.report(&desk, false).await?;
                given
            }
            None => 0,
        };
        self.give_back(app, process, given, seats).await
    }

    /// The hub has answered a beat: it knew then that this gateway lives.
    fn renew(&mut self, number: u64) {
        let was_leased = self.shared.is_leased(self.shared.now());
        while let Some((first, sent)) = self.beats.front().copied().filter(|(first, _)| *first <= number) {
            self.beats.pop_front();
            if first == number {
                let until = sent.saturating_duration_since(self.shared.began) + LEASE;
                let until = u64::try_from(until.as_millis()).unwrap_or(u64::MAX);
                self.shared.lease_until.fetch_max(until, Ordering::AcqRel);
            }
        }
        while self.news.front().is_some_and(|(beat, _)| *beat <= number) {
            for desk in self.news.pop_front().into_iter().flat_map(|(_, desks)| desks) {
                desk.recheck(&self.shared, true);
            }
        }
        if !was_leased {
            for desk in self.shared.all() {
                desk.change(&self.shared, |_| ());
            }
        }
    }

    /// Everything was told: what was not named is gone, and what happened meanwhile is told.
    async fn synced(&mut self) -> Result<(), Over> {
        self.shared.is_synced.send_replace(true);
        self.shared.was_synced.send_replace(true);
        for desk in self.shared.all() {
            if !desk.synced(&self.shared) {
                self.shared.remove(desk.id());
                desk.removed(&self.shared);
            }
        }
        self.flush().await?;
        self.ask(true).await
    }

    /// Asks what is not answered, unless the greeting is not answered yet: it does then.
    async fn ask(&mut self, is_new: bool) -> Result<(), Over> {
        if *self.shared.is_synced.borrow() {
            for message in self.shared.questions.to_send(is_new) {
                self.send(message).await?;
            }
        }
        Ok(())
    }
}

fn taken(list: &Mutex<Vec<Arc<Desk>>>) -> Vec<Arc<Desk>> {
    std::mem::take(&mut *list.lock().unwrap_or_else(PoisonError::into_inner))
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
