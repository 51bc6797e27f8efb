// SPDX-License-Identifier: Apache-2.0
namespace Segue.Tests
{
    /// <summary>The runner's other business, which is not this program's.</summary>
    internal static class Listen
    {
        public static int Run(string[] words) => 2;
    }
}
