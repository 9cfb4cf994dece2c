//! Walks a program and says what of it is only for the compiler.

use oxc_ast::ast::*;
use oxc_ast_visit::{Visit, walk};
use oxc_span::{GetSpan, Span};

use super::edits::Edits;
use super::{Refused, enums};

/// Words before the name of a member that mean nothing at run time.
const MODIFIERS: [&str; 7] = [
    "public",
    "private",
    "protected",
    "readonly",
    "override",
    "abstract",
    "declare",
];

/// What to change so that `program` is JavaScript.
///
/// # Errors
/// At the first part that cannot be erased.
pub(super) fn edits(text: &str, program: &Program<'_>) -> Result<Edits, Refused> {
    let mut eraser = Eraser {
        text,
        edits: Edits::default(),
        refused: None,
        is_derived: Vec::new(),
    };
    eraser.visit_program(program);
    match eraser.refused {
        Some(refused) => Err(refused),
        None => Ok(eraser.edits),
    }
}

struct Eraser<'t> {
    text: &'t str,
    edits: Edits,
    refused: Option<Refused>,
    /// For each class that is open: whether it extends another.
    is_derived: Vec<bool>,
}

impl Eraser<'_> {
    fn refuse(&mut self, what: &str, instead: &str, span: Span) {
        self.note(Refused::unsupported(what, instead, span.start));
    }

    /// The first reason in the text counts.
    fn note(&mut self, refused: Refused) {
        if self
            .refused
            .as_ref()
            .is_none_or(|first| refused.at < first.at)
        {
            self.refused = Some(refused);
        }
    }

    fn slice(&self, start: u32, end: u32) -> &str {
        self.text
            .get(start as usize..end as usize)
            .unwrap_or_default()
    }

    /// Blank the `?` or `!` between a name and its type.
    fn blank_mark(&mut self, start: u32, end: u32) {
        let offset = self.slice(start, end).find(['?', '!']);
        if let Some(at) = offset.and_then(|at| u32::try_from(at).ok()) {
            self.edits.blank(Span::new(start + at, start + at + 1));
        }
    }

    /// Blank the modifiers between the start of a member and its name.
    fn blank_modifiers(&mut self, start: u32, end: u32) {
        let text = self.slice(start, end);
        let mut found = Vec::new();
        for word in text.split(|one: char| !one.is_ascii_alphabetic()) {
            if MODIFIERS.contains(&word) {
                // The word is a part of `text`: its place is the distance of the two.
                let at = word.as_ptr() as usize - text.as_ptr() as usize;
                found.push((at, word.len()));
            }
        }
        for (at, length) in found {
            if let (Ok(at), Ok(length)) = (u32::try_from(at), u32::try_from(length)) {
                self.edits.blank(Span::sized(start + at, length));
            }
        }
    }

    /// Blank an item of a list and the comma after it.
    fn blank_item(&mut self, span: Span, list_end: u32) {
        let rest = self.slice(span.end, list_end);
        let comma = rest
            .trim_start()
            .starts_with(',')
            .then(|| rest.find(','))
            .flatten();
        let end = comma
            .and_then(|at| u32::try_from(at).ok())
            .map_or(span.end, |at| span.end + at + 1);
        self.edits.blank(Span::new(span.start, end));
    }

    /// `)` and `=>` must stand on one line: the bracket moves to the end of the type.
    fn keep_arrow_together(&mut self, params_end: u32, annotation: Span) {
        let Some(bracket) = params_end
            .checked_sub(1)
            .filter(|at| self.slice(*at, params_end) == ")")
        else {
            return self.edits.blank(annotation);
        };
        self.edits.replace(Span::new(bracket, params_end), " ");
        self.edits
            .blank(Span::new(annotation.start, annotation.end - 1));
        self.edits
            .replace(Span::new(annotation.end - 1, annotation.end), ")");
    }

    fn parameter_properties(&mut self, it: &MethodDefinition<'_>) {
        let names: Vec<&str> = it
            .value
            .params
            .items
            .iter()
            .filter(|item| is_property(item))
            .filter_map(|item| item.pattern.get_identifier_name().map(|name| name.as_str()))
            .collect();
        let Some(body) = it.value.body.as_ref().filter(|_| !names.is_empty()) else {
            return;
        };
        let assignments: String = names
            .iter()
            .map(|name| format!(" this.{name} = {name};"))
            .collect();
        match (
            self.is_derived.last(),
            body.statements.iter().find(|one| is_super_call(one)),
        ) {
            (Some(true), Some(call)) => self
                .edits
                .insert(call.span().end, format!(";{assignments}")),
            (Some(true), None) => self.refuse(
                "parameter property in a constructor without a plain `super()` call",
                "assign it in the body",
                it.key.span(),
            ),
            _ => {
                let start = body
                    .directives
                    .last()
                    .map_or(body.span.start + 1, |last| last.span.end);
                self.edits.insert(start, assignments);
            }
        }
    }
}

/// Whether a parameter is also a property of the object.
fn is_property(it: &FormalParameter<'_>) -> bool {
    it.accessibility.is_some() || it.readonly || it.r#override
}

fn is_super_call(it: &Statement<'_>) -> bool {
    let Statement::ExpressionStatement(statement) = it else {
        return false;
    };
    matches!(&statement.expression, Expression::CallExpression(call) if matches!(call.callee, Expression::Super(_)))
}

/// Whether nothing is left of a declaration at run time.
fn is_erased(it: &Declaration<'_>) -> bool {
    match it {
        Declaration::VariableDeclaration(it) => it.declare,
        Declaration::FunctionDeclaration(it) => it.declare || it.body.is_none(),
        Declaration::ClassDeclaration(it) => it.declare,
        Declaration::TSTypeAliasDeclaration(_)
        | Declaration::TSInterfaceDeclaration(_)
        | Declaration::TSExternalModuleDeclaration(_)
        | Declaration::TSGlobalDeclaration(_) => true,
        Declaration::TSEnumDeclaration(it) => it.declare,
        Declaration::TSNamespaceDeclaration(it) => it.declare || is_only_types(it),
        Declaration::TSImportEqualsDeclaration(it) => it.import_kind.is_type(),
    }
}

/// Whether a namespace holds types and nothing else.
fn is_only_types(it: &TSNamespaceDeclaration<'_>) -> bool {
    match &it.body {
        TSNamespaceDeclarationBody::TSNamespaceDeclaration(inner) => is_only_types(inner),
        TSNamespaceDeclarationBody::TSModuleBlock(block) => {
            block.body.iter().all(|one| match one {
                Statement::ExportDeclaration(export) => is_erased(&export.declaration),
                other => other.as_declaration().is_some_and(is_erased),
            })
        }
    }
}

impl<'a> Visit<'a> for Eraser<'_> {
    fn visit_statement(&mut self, it: &Statement<'a>) {
        self.edits.end(it.span().end);
        match it.as_declaration() {
            Some(declaration) if is_erased(declaration) => self.edits.statement(it.span()),
            _ => walk::walk_statement(self, it),
        }
    }

    // ---- types ----

    fn visit_ts_type_annotation(&mut self, it: &TSTypeAnnotation<'a>) {
        self.edits.blank(it.span);
    }

    fn visit_ts_type_parameter_declaration(&mut self, it: &TSTypeParameterDeclaration<'a>) {
        self.edits.blank(it.span);
    }

    fn visit_ts_type_parameter_instantiation(&mut self, it: &TSTypeParameterInstantiation<'a>) {
        self.edits.blank(it.span);
    }

    fn visit_ts_as_expression(&mut self, it: &TSAsExpression<'a>) {
        self.visit_expression(&it.expression);
        self.edits
            .blank(Span::new(it.expression.span().end, it.span.end));
    }

    fn visit_ts_satisfies_expression(&mut self, it: &TSSatisfiesExpression<'a>) {
        self.visit_expression(&it.expression);
        self.edits
            .blank(Span::new(it.expression.span().end, it.span.end));
    }

    fn visit_ts_type_assertion(&mut self, it: &TSTypeAssertion<'a>) {
        self.edits
            .blank(Span::new(it.span.start, it.expression.span().start));
        self.visit_expression(&it.expression);
    }

    fn visit_ts_non_null_expression(&mut self, it: &TSNonNullExpression<'a>) {
        self.visit_expression(&it.expression);
        self.edits.blank(Span::new(it.span.end - 1, it.span.end));
    }

    // ---- functions and variables ----

    fn visit_variable_declarator(&mut self, it: &VariableDeclarator<'a>) {
        if let Some(annotation) = it.type_annotation.as_ref().filter(|_| it.definite) {
            self.blank_mark(it.id.span().end, annotation.span.start);
        }
        walk::walk_variable_declarator(self, it);
    }

    fn visit_formal_parameter(&mut self, it: &FormalParameter<'a>) {
        let name = it.pattern.span();
        if is_property(it) {
            self.blank_modifiers(it.span.start, name.start);
        }
        if it.optional {
            let end = it
                .type_annotation
                .as_ref()
                .map_or(name.end + 1, |annotation| annotation.span.start);
            self.blank_mark(name.end, end);
        }
        walk::walk_formal_parameter(self, it);
    }

    fn visit_ts_this_parameter(&mut self, it: &TSThisParameter<'a>) {
        let end = u32::try_from(self.text.len()).unwrap_or(u32::MAX);
        self.blank_item(it.span, end);
    }

    fn visit_arrow_function_expression(&mut self, it: &ArrowFunctionExpression<'a>) {
        let Some(annotation) = it
            .return_type
            .as_ref()
            .filter(|one| self.slice(one.span.start, one.span.end).contains('\n'))
        else {
            return walk::walk_arrow_function_expression(self, it);
        };
        self.keep_arrow_together(it.params.span.end, annotation.span);
        if let Some(parameters) = &it.type_parameters {
            self.visit_ts_type_parameter_declaration(parameters);
        }
        self.visit_formal_parameters(&it.params);
        self.visit_arrow_function_body(&it.body);
    }

    // ---- classes ----

    fn visit_class(&mut self, it: &Class<'a>) {
        if it.r#abstract {
            let head = it.span.start + u32::try_from("abstract".len()).unwrap_or_default();
            self.edits.blank(Span::new(it.span.start, head));
        }
        self.is_derived.push(it.heritage.is_some());
        walk::walk_class(self, it);
        self.is_derived.pop();
    }

    fn visit_ts_class_implements_list(
        &mut self,
        it: &oxc_allocator::ArenaVec<'a, TSClassImplements<'a>>,
    ) {
        let (Some(first), Some(last)) = (it.first(), it.last()) else {
            return;
        };
        let before = self.slice(0, first.span.start);
        if let Some(at) = before
            .rfind("implements")
            .and_then(|at| u32::try_from(at).ok())
        {
            self.edits.blank(Span::new(at, last.span.end));
        }
    }

    fn visit_method_definition(&mut self, it: &MethodDefinition<'a>) {
        if it.value.body.is_none() {
            return self.edits.statement(it.span);
        }
        self.blank_modifiers(it.span.start, it.key.span().start);
        if it.optional {
            self.blank_mark(it.key.span().end, it.value.span.start);
        }
        self.parameter_properties(it);
        walk::walk_method_definition(self, it);
    }

    fn visit_property_definition(&mut self, it: &PropertyDefinition<'a>) {
        if it.declare || it.r#type == PropertyDefinitionType::TSAbstractPropertyDefinition {
            return self.edits.statement(it.span);
        }
        self.edits.end(it.span.end);
        self.blank_modifiers(it.span.start, it.key.span().start);
        if it.optional || it.definite {
            let end = it
                .type_annotation
                .as_ref()
                .map_or(it.span.end, |annotation| annotation.span.start);
            self.blank_mark(it.key.span().end + u32::from(it.computed), end);
        }
        walk::walk_property_definition(self, it);
    }

    fn visit_accessor_property(&mut self, it: &AccessorProperty<'a>) {
        self.refuse(
            "`accessor` property",
            "write a getter and a setter",
            it.span,
        );
    }

    fn visit_ts_index_signature(&mut self, it: &TSIndexSignature<'a>) {
        self.edits.statement(it.span);
    }

    fn visit_decorator(&mut self, it: &Decorator<'a>) {
        self.refuse("decorator", "call the function yourself", it.span);
    }

    // ---- what is left at run time ----

    fn visit_ts_enum_declaration(&mut self, it: &TSEnumDeclaration<'a>) {
        if let Err(refused) = enums::rewrite(it, &mut self.edits) {
            return self.note(refused);
        }
        for value in it
            .body
            .members
            .iter()
            .filter_map(|member| member.initializer.as_ref())
        {
            self.visit_expression(value);
        }
    }

    fn visit_ts_namespace_declaration(&mut self, it: &TSNamespaceDeclaration<'a>) {
        self.refuse(
            "namespace with values",
            "use a module or an object",
            it.span,
        );
    }

    fn visit_ts_import_equals_declaration(&mut self, it: &TSImportEqualsDeclaration<'a>) {
        self.refuse(
            "`import =`",
            "write `import` … `from` or `const` … `= require()`",
            it.span,
        );
    }

    fn visit_ts_export_assignment(&mut self, it: &TSExportAssignment<'a>) {
        self.refuse(
            "`export =`",
            "write `export default` or `module.exports =`",
            it.span,
        );
    }

    // ---- modules ----

    fn visit_ts_namespace_export_declaration(&mut self, it: &TSNamespaceExportDeclaration<'a>) {
        self.edits.statement(it.span);
    }

    fn visit_export_declaration(&mut self, it: &ExportDeclaration<'a>) {
        match is_erased(&it.declaration) {
            true => self.edits.statement(it.span),
            false => walk::walk_export_declaration(self, it),
        }
    }

    fn visit_export_default_declaration(&mut self, it: &ExportDefaultDeclaration<'a>) {
        match &it.declaration {
            ExportDefaultDeclarationKind::TSInterfaceDeclaration(_) => {
                self.edits.statement(it.span)
            }
            ExportDefaultDeclarationKind::FunctionDeclaration(function)
                if function.body.is_none() =>
            {
                self.edits.statement(it.span);
            }
            _ => walk::walk_export_default_declaration(self, it),
        }
    }

    fn visit_import_declaration(&mut self, it: &ImportDeclaration<'a>) {
        match it.import_kind.is_type() {
            true => self.edits.statement(it.span),
            false => walk::walk_import_declaration(self, it),
        }
    }

    fn visit_import_specifier(&mut self, it: &ImportSpecifier<'a>) {
        if it.import_kind.is_type() {
            let end = u32::try_from(self.text.len()).unwrap_or(u32::MAX);
            self.blank_item(it.span, end);
        }
    }

    fn visit_export_named_declaration(&mut self, it: &ExportNamedDeclaration<'a>) {
        match it.export_kind.is_type() {
            true => self.edits.statement(it.span),
            false => walk::walk_export_named_declaration(self, it),
        }
    }

    fn visit_export_from_declaration(&mut self, it: &ExportFromDeclaration<'a>) {
        match it.export_kind.is_type() {
            true => self.edits.statement(it.span),
            false => walk::walk_export_from_declaration(self, it),
        }
    }

    fn visit_export_specifier(&mut self, it: &ExportSpecifier<'a>) {
        if it.export_kind.is_type() {
            let end = u32::try_from(self.text.len()).unwrap_or(u32::MAX);
            self.blank_item(it.span, end);
        }
    }

    fn visit_export_all_declaration(&mut self, it: &ExportAllDeclaration<'a>) {
        if it.export_kind.is_type() {
            self.edits.statement(it.span);
        }
    }
}
