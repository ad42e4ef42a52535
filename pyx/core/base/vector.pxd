from libcpp cimport bool as cbool

cdef extern from "core/base/vector.hpp" namespace "evmcore" nogil:
    cppclass Vector[T]:
        # What returns cbool is false, and what returns a pointer null, when there is no memory.
        size_t size()
        cbool empty()
        T* data()
        T& operator[](size_t)
        T& back()
        cbool push_back(const T&)
        T* add()
        cbool append(const T* items, size_t count)
        cbool assign(const T* items, size_t count)
        cbool reserve(size_t count)
        cbool resize(size_t)
        void pop_back()
        void clear()
        void release()
        void swap(Vector&)
