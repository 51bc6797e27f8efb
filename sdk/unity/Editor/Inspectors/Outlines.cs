// SPDX-License-Identifier: Apache-2.0
using Segue;
using Segue.Wire;

namespace SegueEditor
{
    /// <summary>Outlines for what is drawn, where an exception would break the layout.</summary>
    internal static class Outlines
    {
        /// <summary>An asset's outline; null if there is none, and why.</summary>
        public static SoundtrackOutline Of(SoundtrackAsset asset, out string wrong)
        {
            wrong = "";
            if (asset == null) return null;
            try
            {
                return asset.Outline;
            }
            catch (MalformedException error)
            {
                wrong = error.Message;
                return null;
            }
        }
    }
}
