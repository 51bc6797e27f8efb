// SPDX-License-Identifier: Apache-2.0
#if !UNITY_5_3_OR_NEWER
using System;

// Within Unity the tests run under NUnit; outside, these stand for what they use of it.
namespace NUnit.Framework
{
    [AttributeUsage(AttributeTargets.Class)]
    public sealed class TestFixtureAttribute : Attribute { }

    [AttributeUsage(AttributeTargets.Method)]
    public sealed class TestAttribute : Attribute { }
}
#endif
