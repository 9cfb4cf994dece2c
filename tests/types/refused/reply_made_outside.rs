//! An answer is made by the harness alone.

use harness::Reply;

pub fn made() {
    let _new = Reply::new; //~ E0624: associated function `new` is private
}
