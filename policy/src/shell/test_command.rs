//! The grammar of `[[ … ]]`.

use super::ast::TestTerm;
use super::cursor::{Fault, Parser};
use super::word::Place;

impl Parser<'_, '_> {
    /// After `[[` and up to `]]`, which is consumed; the terms in order.
    pub(super) fn test_command(&mut self) -> Result<Vec<TestTerm>, Fault> {
        let mut terms = Vec::new();
        self.test_or(&mut terms)?;
        self.skip_newlines()?;
        if !self.eat_word("]]") {
            return Err(Fault::Syntax);
        }
        Ok(terms)
    }

    fn test_or(&mut self, terms: &mut Vec<TestTerm>) -> Result<(), Fault> {
        loop {
            self.test_and(terms)?;
            self.skip_newlines()?;
            if !self.eat("||") {
                return Ok(());
            }
        }
    }

    fn test_and(&mut self, terms: &mut Vec<TestTerm>) -> Result<(), Fault> {
        loop {
            self.test_term(terms)?;
            self.skip_newlines()?;
            if !self.eat("&&") {
                return Ok(());
            }
        }
    }

    fn test_term(&mut self, terms: &mut Vec<TestTerm>) -> Result<(), Fault> {
        self.skip_newlines()?;
        while self.eat_word("!") {
            self.skip_newlines()?;
        }
        if self.cur() == Some(b'(') {
            self.pos += 1;
            self.deeper(|parser| parser.test_or(terms))?;
            self.skip_newlines()?;
            return self.expect(")");
        }
        if self.at_word("]]") {
            return Err(Fault::Syntax);
        }
        let start = self.pos;
        let first = self.word(Place::Plain)?;
        let operator = self.since(start).to_owned();
        self.skip_blanks();
        if is_unary(&operator) && !self.at_test_end() {
            let operand = self.word(Place::Plain)?;
            terms.push(TestTerm {
                operator: Some(operator),
                words: vec![operand],
            });
            return Ok(());
        }
        if is_unary(&operator) {
            return Err(Fault::Syntax);
        }
        self.binary(first, terms)
    }

    fn at_test_end(&mut self) -> bool {
        self.at_word("]]") || self.at("&&") || self.at("||") || self.at(")") || self.cur().is_none()
    }

    /// A word, alone or with an operator and a second word.
    fn binary(&mut self, first: super::ast::Word, terms: &mut Vec<TestTerm>) -> Result<(), Fault> {
        self.skip_newlines()?;
        if self.at_test_end() {
            terms.push(TestTerm {
                operator: None,
                words: vec![first],
            });
            return Ok(());
        }
        let operator = self.test_operator()?;
        self.skip_blanks();
        let place = match operator.as_str() {
            "=~" => Place::Regex,
            "==" | "=" | "!=" => Place::Pattern,
            _ => Place::Plain,
        };
        let second = self.word(place)?;
        terms.push(TestTerm {
            operator: Some(operator),
            words: vec![first, second],
        });
        Ok(())
    }

    fn test_operator(&mut self) -> Result<String, Fault> {
        if self.eat("<") {
            return Ok("<".to_owned());
        }
        if self.eat(">") {
            return Ok(">".to_owned());
        }
        let start = self.pos;
        self.word(Place::Plain)?;
        let operator = self.since(start).replace("\\\n", "");
        match operator.as_str() {
            "=" | "==" | "!=" | "=~" | "-eq" | "-ne" | "-lt" | "-le" | "-gt" | "-ge" | "-nt"
            | "-ot" | "-ef" => Ok(operator),
            _ => Err(Fault::Syntax),
        }
    }
}

fn is_unary(word: &str) -> bool {
    let mut chars = word.chars();
    chars.next() == Some('-')
        && chars
            .next()
            .is_some_and(|c| "abcdefghknoprstuvwxzGLNORS".contains(c))
        && chars.next().is_none()
}
