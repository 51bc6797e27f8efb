// SPDX-License-Identifier: Apache-2.0
namespace Segue
{
    /// <summary>The version in package.json; a test compares them.</summary>
    public static class PackageVersion
    {
        public const string Text = "0.1.0";
    }
}
