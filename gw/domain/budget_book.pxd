# Compiled, a BudgetBook is a C struct.


cdef class BudgetBook:
    cdef public tuple budgets, limits
    cdef public object _budgets, _limits
    cdef public dict _known

    cpdef for_path(self, path)
