cdef extern from "core/base/mapped_rows.hpp" namespace "evmcore" nogil:
    cppclass MappedRows[T]:
        size_t size()
        const T* data()
