//! his-desk on the reference HIS: its windows through a whole emergency.

mod day;
mod held;
mod hospital;
mod money;
mod patients;
mod picture;
mod real;
mod screen;
mod shift;
mod terminal;

use hospital::Hospital;
