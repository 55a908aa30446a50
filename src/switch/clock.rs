//! Times as people at the windows say them: a time of day, in the site's own time zone.

use crate::profile::Site;
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

/// The site's time zone; UTC, and it shows in the text, when the profile names one that does not exist.
fn zone(site: &Site) -> Tz {
    site.timezone.parse().unwrap_or(Tz::UTC)
}

/// `09:45`, or `2026-11-21 09:45` when it is not of today.
#[must_use]
pub fn time_of_day(site: &Site, at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let (zone, unknown) = (zone(site), site.timezone.parse::<Tz>().is_err());
    let (at, now) = (at.with_timezone(&zone), now.with_timezone(&zone));
    let format = if at.date_naive() == now.date_naive() { "%H:%M" } else { "%Y-%m-%d %H:%M" };
    format!("{}{}", at.format(format), if unknown { " UTC" } else { "" })
}

/// A length of time in the two largest units that matter: `45 s`, `14 min`, `3 h 05 min`, `2 d 04 h`.
#[must_use]
pub fn length(span: TimeDelta) -> String {
    let seconds = span.num_seconds().max(0);
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {:02} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// Where the standby's data ends, in the site's language and for whoever reads English.
#[must_use]
pub fn data_until(site: &Site, at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let (time, age) = (time_of_day(site, at, now), length(now - at));
    if site.language == "zh-CN" {
        format!("数据截至 {time} (data until {time}, {age} ago)")
    } else {
        format!("data until {time}, {age} ago")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(language: &str) -> Site {
        let (name, code) = ("x".to_owned(), "01".to_owned());
        Site { name, code, timezone: "Asia/Shanghai".to_owned(), language: language.to_owned() }
    }

    #[test]
    fn data_until_is_a_time_of_day_in_the_zone_and_language_of_the_site() {
        let at: DateTime<Utc> = "2026-11-22T01:45:00Z".parse().unwrap();
        let now: DateTime<Utc> = "2026-11-22T01:59:30Z".parse().unwrap();
        assert_eq!(data_until(&site("en"), at, now), "data until 09:45, 14 min ago");
        assert_eq!(data_until(&site("zh-CN"), at, now), "数据截至 09:45 (data until 09:45, 14 min ago)");
        let late: DateTime<Utc> = "2026-11-22T23:00:00Z".parse().unwrap();
        assert_eq!(data_until(&site("en"), at, late), "data until 2026-11-22 09:45, 21 h 15 min ago");
    }
}
