//! What hospitals copy: timers, crontab, runbooks, the sample profile on the reference HIS.

mod runbooks;
mod timers;
