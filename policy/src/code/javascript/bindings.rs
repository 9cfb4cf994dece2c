//! What a node of JavaScript binds.

use oxc_ast::AstKind;
use oxc_ast::ast::{
    AssignmentTarget, BindingPattern, ImportDeclaration, ImportDeclarationSpecifier,
    TSModuleReference,
};

use super::super::value::{Value, Values};
use super::Reader;
use super::values::{member, module};

impl<'a> Reader<'a> {
    /// Binds what the node binds, with what is known by now.
    pub(super) fn bind(&mut self, kind: AstKind<'a>) {
        match kind {
            AstKind::ImportDeclaration(import) => self.bind_import(import),
            AstKind::TSImportEqualsDeclaration(import) => {
                let value = match &import.module_reference {
                    TSModuleReference::ExternalModuleReference(reference) => {
                        self.module_value(&reference.expression.value)
                    }
                    TSModuleReference::IdentifierReference(_)
                    | TSModuleReference::QualifiedName(_) => Value::Unknown,
                };
                self.names.bind(import.id.name.as_str(), value);
            }
            AstKind::VariableDeclarator(declarator) => {
                if let Some(init) = &declarator.init {
                    let values = self.values(init);
                    self.pattern(&declarator.id, &values);
                }
            }
            AstKind::AssignmentExpression(assignment) => {
                if let AssignmentTarget::AssignmentTargetIdentifier(name) = &assignment.left {
                    let plain = assignment.operator.is_assign() || assignment.operator.is_logical();
                    let values = match plain {
                        true => self.values(&assignment.right),
                        false => vec![Value::Unknown],
                    };
                    for value in values {
                        self.names.bind(name.name.as_str(), value);
                    }
                }
            }
            AstKind::AssignmentTargetPropertyIdentifier(target) => {
                self.names
                    .bind(target.binding.name.as_str(), Value::Unknown);
            }
            AstKind::FormalParameter(parameter) => {
                let mut values = vec![Value::Unknown];
                if let Some(initial) = &parameter.initializer {
                    values.extend(self.values(initial));
                }
                self.pattern(&parameter.pattern, &values);
            }
            AstKind::FormalParameterRest(parameter) => {
                self.pattern(&parameter.rest.argument, &[Value::Unknown]);
            }
            AstKind::CatchParameter(parameter) => {
                self.pattern(&parameter.pattern, &[Value::Unknown]);
            }
            AstKind::Function(function) => {
                if let Some(name) = function.name() {
                    self.names.bind(name.as_str(), Value::Unknown);
                }
            }
            AstKind::Class(class) => {
                if let Some(name) = class.name() {
                    self.names.bind(name.as_str(), Value::Unknown);
                }
            }
            _ => {}
        }
    }

    /// A module as a value.
    pub(super) fn module_value(&mut self, name: &str) -> Value {
        let name = module(name);
        self.modules.insert(name.clone());
        Value::Dotted(name)
    }

    fn bind_import(&mut self, import: &'a ImportDeclaration<'a>) {
        let whole = self.module_value(&import.source.value);
        for specifier in import.specifiers.iter().flatten() {
            match specifier {
                ImportDeclarationSpecifier::ImportSpecifier(one) => {
                    let value = member(&whole, &one.imported.name());
                    self.names.bind(one.local.name.as_str(), value);
                }
                ImportDeclarationSpecifier::ImportDefaultSpecifier(one) => {
                    self.names.bind(one.local.name.as_str(), whole.clone());
                }
                ImportDeclarationSpecifier::ImportNamespaceSpecifier(one) => {
                    self.names.bind(one.local.name.as_str(), whole.clone());
                }
            }
        }
    }

    /// The names of a pattern, each with its part of the values.
    pub(super) fn pattern(&mut self, pattern: &'a BindingPattern<'a>, values: &[Value]) {
        let mut parts: Vec<(&'a BindingPattern<'a>, Values)> = vec![(pattern, values.to_vec())];
        while let Some((pattern, values)) = parts.pop() {
            match pattern {
                BindingPattern::BindingIdentifier(name) => {
                    for value in values {
                        self.names.bind(name.name.as_str(), value);
                    }
                }
                BindingPattern::ObjectPattern(object) => {
                    for property in &object.properties {
                        let name = property.key.static_name();
                        let of = |value: &Value| {
                            name.as_ref()
                                .map_or(Value::Unknown, |name| member(value, name))
                        };
                        parts.push((&property.value, values.iter().map(of).collect()));
                    }
                    if let Some(rest) = &object.rest {
                        parts.push((&rest.argument, values));
                    }
                }
                BindingPattern::ArrayPattern(array) => {
                    for element in array.elements.iter().flatten() {
                        parts.push((element, vec![Value::Unknown]));
                    }
                    if let Some(rest) = &array.rest {
                        parts.push((&rest.argument, vec![Value::Unknown]));
                    }
                }
                BindingPattern::AssignmentPattern(assignment) => {
                    let mut values = values;
                    values.extend(self.values(&assignment.right));
                    parts.push((&assignment.left, values));
                }
            }
        }
    }
}
