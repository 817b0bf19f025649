//! Barriers and subgroup operations that not every invocation reaches. By WGSL's standard they stand in uniform control
//! flow; naga does not look.
//!
//! The standard follows all that may differ between invocations. This tells of less, but not without cause: of what
//! depends on an invocation's number or on memory that kernels write, by expressions, results of functions, and
//! variables in which nothing else is ever stored.

use std::collections::{HashMap, HashSet};

use wgpu::naga::{
    AddressSpace, Binding, Block, BuiltIn, Expression, Function, Handle, LocalVariable, Module, Span, Statement,
    StorageAccess,
};

/// What stands where not all invocations of a workgroup come, and its place in the text.
pub fn divergent(module: &Module) -> Vec<(Span, String)> {
    let mut analysis = Analysis { module, results: HashMap::new(), walked: HashSet::new(), found: vec![] };
    for entry in &module.entry_points {
        let arguments = entry.function.arguments.iter().map(|argument| is_own(argument.binding.as_ref())).collect();
        analysis.function(&entry.function, arguments, true);
    }
    let mut found = analysis.found;
    found.sort_by_key(|(span, _)| span.to_range().map(|range| range.start));
    found.dedup();
    found
}

/// Whether an entry point's argument is another one for each invocation.
fn is_own(binding: Option<&Binding>) -> bool {
    let own = [
        BuiltIn::LocalInvocationId,
        BuiltIn::LocalInvocationIndex,
        BuiltIn::GlobalInvocationId,
        BuiltIn::SubgroupInvocationId,
    ];
    matches!(binding, Some(Binding::BuiltIn(builtin)) if own.contains(builtin))
}

/// A function, and which of its arguments differ between invocations.
type Called = (Handle<Function>, Vec<bool>);

struct Analysis<'a> {
    module: &'a Module,
    /// Whether what a function gives back differs.
    results: HashMap<Called, bool>,
    /// Functions that were looked through.
    walked: HashSet<Called>,
    found: Vec<(Span, String)>,
}

/// A function under analysis.
struct Frame {
    /// Of each expression, whether it differs between invocations.
    differs: Vec<bool>,
    result_differs: bool,
}

impl Frame {
    fn differs(&self, expression: Handle<Expression>) -> bool {
        self.differs[expression.index()]
    }
}

/// Ways out of a block that some invocations take and others do not.
#[derive(Clone, Copy, Default)]
struct Exits {
    continues: bool,
    breaks: bool,
    returns: bool,
}

impl Exits {
    fn any(self) -> bool {
        self.continues || self.breaks || self.returns
    }

    fn or(self, other: Self) -> Self {
        Self {
            continues: self.continues || other.continues,
            breaks: self.breaks || other.breaks,
            returns: self.returns || other.returns,
        }
    }
}

impl Analysis<'_> {
    /// Goes through a function, to tell what is found there or only whether its result differs.
    fn function(&mut self, function: &Function, arguments: Vec<bool>, tell: bool) -> bool {
        let mut frame = Frame { differs: self.differing(function, &arguments), result_differs: false };
        self.block(&mut frame, &function.body, false, tell);
        frame.result_differs
    }

    fn result_differs(&mut self, called: Called) -> bool {
        if let Some(&known) = self.results.get(&called) {
            return known;
        }
        let module = self.module;
        let result = self.function(&module.functions[called.0], called.1.clone(), false);
        self.results.insert(called, result);
        result
    }

    /// Which expressions differ between invocations.
    fn differing(&mut self, function: &Function, arguments: &[bool]) -> Vec<bool> {
        let (mut stores, mut logic) = (Vec::<(_, Vec<_>)>::new(), vec![]);
        let (mut calls, mut lent) = (HashMap::new(), HashSet::new());
        each_statement(&function.body, &mut |statement| match statement {
            Statement::Store { pointer, value } => {
                stores.extend(variable(function, *pointer).map(|v| (v, vec![*value])))
            }
            // How naga writes `condition && value`, with a variable without a name.
            Statement::If { condition, accept, reject } => {
                if let (Some(Statement::Store { pointer, value }), [Statement::Store { .. }]) =
                    (accept.last(), &reject[..])
                {
                    logic.extend(unnamed(function, *pointer).map(|v| (v, vec![*condition, *value])));
                }
            }
            Statement::Call { function: callee, arguments, result } => {
                lent.extend(arguments.iter().filter_map(|&argument| variable(function, argument)));
                calls.extend(result.map(|result| (result, (*callee, arguments.clone()))));
            }
            _ => {}
        });
        stores.retain(|(stored, _)| logic.iter().all(|(variable, _)| variable != stored));
        stores.extend(logic);
        let mut variables: Vec<bool> = (function.local_variables.iter())
            .map(|(handle, variable)| {
                variable.init.is_none() && !lent.contains(&handle) && stores.iter().any(|(stored, _)| *stored == handle)
            })
            .collect();
        loop {
            let mut differs: Vec<bool> = vec![];
            for (handle, expression) in function.expressions.iter() {
                let of = |operand: &Handle<Expression>| differs[operand.index()];
                let own = match expression {
                    Expression::FunctionArgument(i) => arguments[*i as usize],
                    Expression::LocalVariable(variable) => variables[variable.index()],
                    Expression::Load { pointer } => of(pointer) || self.is_written_memory(function, *pointer),
                    Expression::AtomicResult { .. } => true,
                    Expression::CallResult(_) => {
                        let (callee, arguments) = &calls[&handle];
                        let arguments = arguments.iter().map(of).collect();
                        self.result_differs((*callee, arguments))
                    }
                    Expression::Access { base, index } => of(base) || of(index),
                    Expression::AccessIndex { base: one, .. }
                    | Expression::Splat { value: one, .. }
                    | Expression::Swizzle { vector: one, .. }
                    | Expression::Unary { expr: one, .. }
                    | Expression::Relational { argument: one, .. }
                    | Expression::As { expr: one, .. } => of(one),
                    Expression::Compose { components, .. } => components.iter().any(of),
                    Expression::Binary { left, right, .. } => of(left) || of(right),
                    Expression::Select { condition, accept, reject } => of(condition) || of(accept) || of(reject),
                    Expression::Math { arg, arg1, arg2, arg3, .. } => {
                        of(arg) || [arg1, arg2, arg3].into_iter().flatten().any(of)
                    }
                    _ => false,
                };
                differs.push(own);
            }
            // A variable counts as long as all that is stored in it does.
            let mut changed = false;
            for (variable, _) in stores.iter().filter(|(_, from)| !from.iter().any(|value| differs[value.index()])) {
                changed |= std::mem::take(&mut variables[variable.index()]);
            }
            if !changed {
                return differs;
            }
        }
    }

    /// Whether a pointer leads to memory that invocations write.
    fn is_written_memory(&self, function: &Function, pointer: Handle<Expression>) -> bool {
        let Expression::GlobalVariable(variable) = function.expressions[root(function, pointer)] else { return false };
        match self.module.global_variables[variable].space {
            AddressSpace::WorkGroup => true,
            AddressSpace::Storage { access } => access.contains(StorageAccess::STORE),
            _ => false,
        }
    }

    /// Goes through a block to which not all invocations come, if it is `divergent`.
    fn block(&mut self, frame: &mut Frame, block: &Block, mut divergent: bool, tell: bool) -> Exits {
        let mut exits = Exits::default();
        for (statement, span) in block.span_iter() {
            let own = match statement {
                Statement::Block(inner) => self.block(frame, inner, divergent, tell),
                Statement::If { condition, accept, reject } => {
                    let inner = divergent || frame.differs(*condition);
                    let accepted = self.block(frame, accept, inner, tell);
                    accepted.or(self.block(frame, reject, inner, tell))
                }
                Statement::Switch { selector, cases } => {
                    let inner = divergent || frame.differs(*selector);
                    let of_case = |case| self.block(frame, case, inner, tell);
                    let all = cases.iter().map(|case| &case.body).map(of_case).fold(Exits::default(), Exits::or);
                    Exits { breaks: false, ..all }
                }
                Statement::Loop { body, continuing, break_if } => {
                    let first = self.block(frame, body, divergent, false);
                    let leaves =
                        first.breaks || first.returns || break_if.is_some_and(|condition| frame.differs(condition));
                    // In later turns.
                    self.block(frame, body, divergent || leaves, tell);
                    self.block(frame, continuing, divergent || leaves, tell);
                    Exits { returns: first.returns, ..Exits::default() }
                }
                Statement::Continue => Exits { continues: divergent, ..Exits::default() },
                Statement::Break => Exits { breaks: divergent, ..Exits::default() },
                Statement::Return { value } => {
                    frame.result_differs |= value.is_some_and(|value| divergent || frame.differs(value));
                    Exits { returns: divergent, ..Exits::default() }
                }
                other => {
                    if tell {
                        self.tell(frame, other, *span, divergent);
                    }
                    Exits::default()
                }
            };
            divergent |= own.any();
            exits = exits.or(own);
        }
        exits
    }

    fn tell(&mut self, frame: &Frame, statement: &Statement, span: Span, divergent: bool) {
        let module = self.module;
        if let Some(what) = needs_all(module, statement).filter(|_| divergent) {
            self.found.push((
                span,
                format!(
                    "not all invocations come to {what}, by a condition that differs between them: Chrome's \
                     compiler refuses it"
                ),
            ));
        } else if let Statement::Call { function, arguments, .. } = statement {
            let called = (*function, arguments.iter().map(|&argument| frame.differs(argument)).collect::<Vec<_>>());
            if self.walked.insert(called.clone()) {
                self.function(&module.functions[called.0], called.1, true);
            }
        }
    }
}

/// What in a statement needs all invocations.
fn needs_all(module: &Module, statement: &Statement) -> Option<String> {
    match statement {
        Statement::ControlBarrier(_) => Some("this barrier".into()),
        Statement::WorkGroupUniformLoad { .. } => Some("`workgroupUniformLoad`".into()),
        Statement::SubgroupBallot { .. }
        | Statement::SubgroupGather { .. }
        | Statement::SubgroupCollectiveOperation { .. } => Some("this subgroup operation".into()),
        Statement::Call { function, .. } => {
            let callee = &module.functions[*function];
            let mut needs = false;
            each_statement(&callee.body, &mut |inner| needs |= needs_all(module, inner).is_some());
            needs.then(|| {
                format!("`{}`, which has barriers or subgroup operations", callee.name.as_deref().unwrap_or("it"))
            })
        }
        _ => None,
    }
}

/// What a pointer begins at.
fn root(function: &Function, mut pointer: Handle<Expression>) -> Handle<Expression> {
    while let Expression::Access { base, .. } | Expression::AccessIndex { base, .. } = function.expressions[pointer] {
        pointer = base;
    }
    pointer
}

fn variable(function: &Function, pointer: Handle<Expression>) -> Option<Handle<LocalVariable>> {
    match function.expressions[root(function, pointer)] {
        Expression::LocalVariable(variable) => Some(variable),
        _ => None,
    }
}

/// A variable that naga made.
fn unnamed(function: &Function, pointer: Handle<Expression>) -> Option<Handle<LocalVariable>> {
    variable(function, pointer).filter(|&variable| function.local_variables[variable].name.is_none())
}

fn each_statement<'a>(block: &'a Block, visit: &mut impl FnMut(&'a Statement)) {
    for statement in block {
        visit(statement);
        match statement {
            Statement::Block(inner) => each_statement(inner, visit),
            Statement::If { accept, reject, .. } => {
                each_statement(accept, visit);
                each_statement(reject, visit);
            }
            Statement::Loop { body, continuing, .. } => {
                each_statement(body, visit);
                each_statement(continuing, visit);
            }
            Statement::Switch { cases, .. } => cases.iter().for_each(|case| each_statement(&case.body, visit)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use wgpu::naga::front::wgsl::parse_str;

    use super::divergent;

    /// Lines of what is told of.
    fn lines(body: &str) -> Vec<u32> {
        let text = format!(
            "{body} }}
            var<workgroup> told: array<u32, 8>;
            @group(0) @binding(0) var<storage, read> x: array<u32>;
            @group(0) @binding(1) var<storage, read_write> y: array<u32>;
            fn meet() {{ workgroupBarrier(); }}
            fn number(local: u32) -> u32 {{ return 2u * local; }}
            fn early(local: u32) -> u32 {{ if local == 0u {{ return 1u; }} return 2u; }}
            fn meet_if(n: u32) {{ if n > 2u {{ workgroupBarrier(); }} }}
            fn add(to: ptr<function, u32>) {{ *to = 7u; }}"
        );
        let head = "@compute @workgroup_size(8) fn main(@builtin(local_invocation_index) local: u32, \
                    @builtin(workgroup_id) group: vec3u) { ";
        let text = head.to_string() + &text;
        let module = parse_str(&text).unwrap_or_else(|e| panic!("{}", e.emit_to_string(&text)));
        divergent(&module).iter().map(|(span, _)| span.location(&text).line_number).collect()
    }

    #[test]
    fn what_not_all_invocations_reach_is_told() {
        for (body, expected) in [
            ("if local < 4u {\n workgroupBarrier(); }", &[2][..]),
            ("if number(local) < 4u {\n meet(); }\n meet();", &[2]),
            ("if early(local) < 2u {\n _ = subgroupAdd(1u); }", &[2]),
            ("meet_if(group.x);\n meet_if(local);", &[9]),
            ("if local < 4u { return; }\n workgroupBarrier();", &[2]),
            ("for (var i = local; i < 9u; i += 8u) {\n workgroupBarrier(); }\n workgroupBarrier();", &[2]),
            ("loop {\n workgroupBarrier(); if told[0] == 1u { break; }\n workgroupBarrier(); }", &[2, 3]),
            (
                "for (var i = 0u; i < 4u; i++) {\n workgroupBarrier(); if local == i { continue; }\n \
                 workgroupBarrier(); }",
                &[3],
            ),
            ("switch local { case 0u: {\n storageBarrier(); } default: {} }\n storageBarrier();", &[2]),
            ("if x[local] == 1u && group.x == 2u {\n _ = workgroupUniformLoad(&told[0]); }", &[2]),
            ("if y[0] == 1u {\n workgroupBarrier(); }", &[2]),
            ("loop { workgroupBarrier();\n continuing { break if local == 2u; } }", &[1]),
        ] {
            assert_eq!(lines(body), expected, "{body}");
        }
    }

    #[test]
    fn what_all_reach_is_not() {
        for body in [
            "if group.x < 4u { workgroupBarrier(); } meet();",
            "if x[group.x] == 1u { return; } workgroupBarrier();",
            "for (var i = 0u; i < x[0]; i++) { if local < i { y[i] = 1u; } workgroupBarrier(); }",
            "for (var i = 0u; i < 8u; i++) { if local == i { continue; } y[i] = 1u; } workgroupBarrier();",
            "for (var i = local; i < 8u; i++) { y[i] = 1u; } workgroupBarrier();",
            "var n = local; n = 2u; if n == 2u { workgroupBarrier(); }",
            "var n = local; add(&n); if n == 2u { workgroupBarrier(); }",
            "if workgroupUniformLoad(&told[0]) == 1u { workgroupBarrier(); }",
            "let n = select(1u, 2u, local == 3u); y[n] = n; workgroupBarrier();",
        ] {
            assert!(lines(body).is_empty(), "{body}");
        }
    }
}
