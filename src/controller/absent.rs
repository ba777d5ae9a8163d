//! A job that is gone, its finalizer taken off by hand or never needed: nothing of it is left behind (OH3).

use super::context::Context;
use super::look_error::LookError;
use super::pods;
use super::schedule::{Key, Outcome};
use super::view::owner;

/// Ends the Pods of jobs of this name that are gone, all but those of `present`, and frees what they held. The
/// directories of an attempt whose end was never recorded are removed by a sweep.
///
/// # Errors
/// [`LookError`].
pub async fn clean_up(context: &Context, name: &Key, present: Option<&str>) -> Result<Outcome, LookError> {
    let mut longest = None;
    for pod in context.view.pods_of(name) {
        let gone = owner(&pod).filter(|(_, uid)| Some(uid.as_str()) != present);
        let Some((_, uid)) = gone else { continue };
        match pods::end(context, &pod).await? {
            None => pods::release(context, &pod).await?,
            wait => longest = longest.max(wait),
        }
        context.paces.forget(&uid);
    }
    if present.is_none()
        && longest.is_none()
        && let Some(uid) = context.held.take(name)
    {
        context.paces.forget(&uid);
        context.disk.with(move |volume| volume.release(&uid)).await?;
    }
    Ok(longest.map_or(Outcome::Settled, Outcome::Again))
}
